"""The Sapiens2 backbone in one file; torch is all it needs, and the file can be copied into another project.

    model = Sapiens2(arch="sapiens2_1b", img_size=(1024, 768)).eval()
    model.load_state_dict(load_file("sapiens2_1b_pretrain.safetensors"))
    tokens = model(image)[0]              # (B, 9 + 3072, 1536): cls, 8 registers, patches row by row

A pre-norm vision transformer with rotary positions, query-key norm, grouped queries in its middle layers and gated
feed-forward layers; "Sapiens2", arXiv 2604.21681. Parameter names are those of the released files.

Shape suffixes: B batch, N tokens (P leading ones, then patches), D width, H heads, K key-value heads, d head size.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

EPS = 1e-6


class RotaryEmbedding(nn.Module):
    """Rotary positions for a 2-D grid of patches.

    Half of the angles come from the row, half from the column, each in -1..1. The released models compute all of this in
    bfloat16, whatever the dtype of the weights; to give their numbers, so does the default here, step by step.

    Args:
        head_dim: size of a head, divisible by 4.
        base: periods are base ** (2 i / (head_dim / 2)); or None with both periods below.
        min_period, max_period: ends of a geometric series of periods.
        normalize_coords: "separate" divides each axis by its own length, "max" and "min" both by one of them.
        shift, jitter, rescale: in training, added to the coordinates (uniform in -shift..shift, per axis), multiplied
            (log-uniform in 1/jitter..jitter, per axis), and multiplied (likewise, common); one draw per forward call.
        dtype: "bf16", or anything else for float32.

    Raises:
        ValueError: a head size or a combination of arguments that cannot be.
    """

    periods: Tensor

    def __init__(
        self,
        head_dim: int,
        *,
        base: float | None = 100.0,
        min_period: float | None = None,
        max_period: float | None = None,
        normalize_coords: str = "separate",
        shift: float | None = None,
        jitter: float | None = None,
        rescale: float | None = None,
        dtype: str = "bf16",
    ) -> None:
        super().__init__()
        if head_dim % 4:
            raise ValueError(f"rotary positions need a head size divisible by 4, got {head_dim}")
        if (base is None) == (min_period is None or max_period is None):
            raise ValueError("give either pos_embed_rope_base, or both pos_embed_rope_min_period and _max_period")
        if normalize_coords not in ("separate", "max", "min"):
            raise ValueError(f"pos_embed_rope_normalize_coords: expected separate, max or min, got {normalize_coords!r}")
        self.normalize_coords = normalize_coords
        self.shift, self.jitter, self.rescale = shift, jitter, rescale
        # Kept apart from the buffer's dtype: casting the module changes the buffer, and only the buffer.
        self.dtype = torch.bfloat16 if dtype == "bf16" else torch.float32
        self.register_buffer("periods", _periods(head_dim, base, min_period, max_period, self.dtype))
        self._tables: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}

    def forward(self, rows: int, cols: int) -> tuple[Tensor, Tensor]:
        """Sine and cosine for a grid, each (rows * cols, head_dim), patches row by row."""
        augmented = self.training and any(v is not None for v in (self.shift, self.jitter, self.rescale))
        if augmented or torch.compiler.is_compiling() or self.periods.is_meta:
            return self._table(rows, cols, augment=augmented)
        periods = self.periods
        version = 0 if periods.is_inference() else periods._version
        key = (rows, cols, periods.device, periods.dtype, version)
        table = self._tables.get(key)
        if table is None:
            # Ordinary tensors even if asked for in inference mode, so that a later training step may use them.
            with torch.inference_mode(mode=False), torch.no_grad():
                table = self._table(rows, cols, augment=False)
            if len(self._tables) >= 8:
                self._tables.clear()
            self._tables[key] = table
        return table

    def _table(self, rows: int, cols: int, *, augment: bool) -> tuple[Tensor, Tensor]:
        # Every operation rounds to `dtype`; their order is part of the released models' numbers.
        lengths = {"separate": (rows, cols), "max": (max(rows, cols),) * 2, "min": (min(rows, cols),) * 2}
        axes = [
            2.0 * (torch.arange(0.5, n, dtype=self.dtype, device=self.periods.device) / length) - 1.0
            for n, length in zip((rows, cols), lengths[self.normalize_coords], strict=True)
        ]
        if augment:
            axes = self._augment(axes)
        row, col = ((2 * math.pi * axis)[:, None] / self.periods for axis in axes)
        shape = (rows, cols, row.shape[1])
        angles = torch.cat([row[:, None].expand(shape), col[None].expand(shape)], -1).flatten(0, 1).tile(2)
        return angles.sin(), angles.cos()

    def _augment(self, axes: list[Tensor]) -> list[Tensor]:
        def draw(count: int, low: float, high: float) -> Tensor:
            return torch.empty(count, dtype=self.dtype, device=self.periods.device).uniform_(low, high)

        if self.shift is not None:
            axes = [axis + offset for axis, offset in zip(axes, draw(2, -self.shift, self.shift), strict=True)]
        if self.jitter is not None:
            end = math.log(self.jitter)
            axes = [axis * factor for axis, factor in zip(axes, draw(2, -end, end).exp(), strict=True)]
        if self.rescale is not None:
            end = math.log(self.rescale)
            factor = draw(1, -end, end).exp()
            axes = [axis * factor for axis in axes]
        return axes

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> RotaryEmbedding:
        self._tables.clear()
        super()._apply(fn, recurse)
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._tables.clear()
        super()._load_from_state_dict(*args, **kwargs)


def _periods(
    head_dim: int, base: float | None, low: float | None, high: float | None, dtype: torch.dtype
) -> Tensor:
    count = head_dim // 4
    if base is not None:
        return base ** (2 * torch.arange(count, dtype=dtype) / (head_dim // 2))
    assert low is not None and high is not None, "checked by the caller"
    ratio = high / low
    return ratio ** torch.linspace(0, 1, count, dtype=dtype) / ratio * high


def rotate(x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """Rotate the last tokens of (..., N, d) by a table of (n, d), n <= N, and return x's dtype.

    The tokens before them are not rotated, but like all of x they go through the table's dtype.
    """
    dtype, half = x.dtype, x.shape[-1] // 2
    x = x.to(sin.dtype)
    leading, patches = x.split([x.shape[-2] - sin.shape[0], sin.shape[0]], -2)
    first, second = patches.split(half, -1)
    # The two halves of the table are equal; products and sum round one by one, as in the released models.
    sin, cos = sin[:, :half], cos[:, :half]
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return torch.cat([leading, turned], -2).to(dtype)


class LayerScale(nn.Module):
    """A learned factor per channel."""

    def __init__(self, dim: int, init_value: float) -> None:
        super().__init__()
        self.init_value = init_value
        self.weight = nn.Parameter(torch.full((dim,), init_value))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Attention(nn.Module):
    """Multi-head attention with fewer key-value heads than query heads, query-key norm and rotary positions."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
        qkv_bias: bool = True,
        use_qk_norm: bool = True,
        layer_scale_init_value: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads or num_heads
        if embed_dims % num_heads or num_heads % self.num_kv_heads:
            raise ValueError(f"width {embed_dims}, {num_heads} heads, {self.num_kv_heads} key-value heads do not divide")
        self.head_dim = embed_dims // num_heads
        self.attn_drop_rate = attn_drop_rate
        self.wq = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.wk = nn.Linear(embed_dims, self.num_kv_heads * self.head_dim, bias=qkv_bias)
        self.wv = nn.Linear(embed_dims, self.num_kv_heads * self.head_dim, bias=qkv_bias)
        self.q_norm = nn.RMSNorm(self.head_dim, eps=EPS) if use_qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(self.head_dim, eps=EPS) if use_qk_norm else nn.Identity()
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)
        self.gamma = LayerScale(embed_dims, layer_scale_init_value) if layer_scale_init_value > 0 else nn.Identity()

    def forward(self, x_BND: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        B, N, _ = x_BND.shape
        q = self.q_norm(self.wq(x_BND).view(B, N, self.num_heads, self.head_dim)).transpose(1, 2)
        k = self.k_norm(self.wk(x_BND).view(B, N, self.num_kv_heads, self.head_dim)).transpose(1, 2)
        v = self.wv(x_BND).view(B, N, self.num_kv_heads, self.head_dim).transpose(1, 2)
        if rope is not None:
            q, k = rotate(q, *rope), rotate(k, *rope)
        # Without a mask queries do not see one another: those that share a key-value head can stand in one long
        # sequence. No key or value is copied, on any backend; the grouping is a view.
        q = q.reshape(B, self.num_kv_heads, -1, self.head_dim)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop_rate if self.training else 0.0)
        y_BND = y.reshape(B, self.num_heads, N, self.head_dim).transpose(1, 2).reshape(B, N, -1)
        out: Tensor = self.gamma(self.proj_drop(self.proj(y_BND)))
        return out


class SwiGLU(nn.Module):
    """silu(first half) * second half of one projection, then back to the width."""

    def __init__(self, embed_dims: int, feedforward_channels: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(embed_dims, 2 * feedforward_channels)
        self.w3 = nn.Linear(feedforward_channels, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, -1)
        out: Tensor = self.w3(F.silu(gate) * value)
        return out


class Block(nn.Module):
    """Attention (with LayerScale) and feed-forward (without), each after a norm and added to its input."""

    def __init__(self, embed_dims: int, num_heads: int, feedforward_channels: int, **attention: Any) -> None:
        super().__init__()
        self.ln1 = nn.RMSNorm(embed_dims, eps=EPS)
        self.attn = Attention(embed_dims, num_heads, **attention)
        self.ln2 = nn.RMSNorm(embed_dims, eps=EPS)
        self.ffn = SwiGLU(embed_dims, feedforward_channels)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = x + self.attn(self.ln1(x), rope)
        out: Tensor = x + self.ffn(self.ln2(x))
        return out


class WindowTokenizer(nn.Module):
    """Turns each window of patches into one token, so that 4096x3072 pictures have as many tokens as 1024x768 ones."""

    CHUNK = 1024
    """Windows at a time; bounds the memory and changes no result."""

    def __init__(self, embed_dims: int, num_heads: int, num_layers: int, window_size: int, qkv_bias: bool = True) -> None:
        super().__init__()
        self.window_size = window_size
        self.w_cls = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.local_pos_embed = nn.Parameter(torch.zeros(1, 1 + window_size**2, embed_dims))
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, 4 * embed_dims, qkv_bias=qkv_bias, use_qk_norm=False)
            for _ in range(num_layers)
        )

    def forward(self, x_BND: Tensor, rows: int, cols: int) -> tuple[Tensor, int, int]:
        """Patch tokens of a grid -> window tokens and their grid.

        Raises:
            ValueError: a grid that the window does not divide.
        """
        B, _, D = x_BND.shape
        w = self.window_size
        if rows % w or cols % w:
            raise ValueError(f"a grid of {rows}x{cols} patches does not divide into {w}x{w} windows")
        windows = x_BND.view(B, rows // w, w, cols // w, w, D).transpose(2, 3).reshape(-1, w * w, D)
        recompute = self.training and torch.is_grad_enabled()
        chunks = [
            checkpoint(self._encode, chunk, use_reentrant=False) if recompute else self._encode(chunk)
            for chunk in windows.split(self.CHUNK)
        ]
        return torch.cat(chunks).view(B, -1, D), rows // w, cols // w

    def _encode(self, windows: Tensor) -> Tensor:
        tokens = torch.cat([self.w_cls.expand(len(windows), -1, -1), windows], 1) + self.local_pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return tokens[:, 0]


class PatchEmbed(nn.Module):
    """Patches to tokens; rows and columns beyond the last whole patch are left out."""

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int, patch_cfg: dict[str, Any]) -> None:
        super().__init__()
        allowed = {"kernel_size", "stride", "dilation", "bias"}
        settings = {"kernel_size": patch_size, "stride": patch_size}
        settings |= {name: value for name, value in patch_cfg.items() if name != "padding"}
        if unknown := sorted(set(settings) - allowed):
            raise ValueError(f"patch_cfg: unknown {', '.join(unknown)}; known: {', '.join(sorted(allowed))}")
        self.projection = nn.Conv2d(in_channels, embed_dims, **settings)

    def forward(self, image: Tensor) -> tuple[Tensor, int, int]:
        x = self.projection(image)
        rows, cols = x.shape[-2:]
        return x.flatten(2).transpose(1, 2), rows, cols


class Sapiens2(nn.Module):
    """The Sapiens2 backbone.

    Args:
        arch: a key of `arch_zoo`, upper or lower case.
        img_size: (H, W) or one number; informational, any picture of at least one patch works.
        patch_size: side of a patch in pixels.
        in_channels: channels of the picture.
        out_indices: which layers' outputs to return, an index or several, negative ones from the end.
        drop_rate: dropout after the attention projection.
        window_size, use_tokenizer: the window tokenizer of the 4K model.
        use_qk_norm, qkv_bias, final_norm, with_cls_token: parts that can be left out.
        out_type: "raw" all tokens, "cls_token" the first, "featmap" the patches as a map.
        layer_scale_init_value: start of LayerScale; 0 or less leaves it out.
        frozen_stages: k > 0 freezes patch embedding, tokenizer, leading tokens and the first k blocks; with all blocks
            also the final norm. They stay in eval mode when `.train()` is called.
        patch_cfg: overrides for the patch convolution.
        layer_cfgs: overrides for the blocks, one dict for all or one per block.
        pos_embed_rope_*: see `RotaryEmbedding`.
        n_storage_tokens: registers behind the cls token.

    Raises:
        ValueError: an unknown arch (names the nearest) or settings that cannot be.
    """

    OUT_TYPES: ClassVar[set[str]] = {"raw", "cls_token", "featmap"}
    arch_zoo: ClassVar[dict[str, dict[str, int]]] = {
        name: {
            "embed_dims": width,
            "num_layers": layers,
            "num_heads": heads,
            "feedforward_channels": 4 * width,
            "num_tokenizer_layers": tokenizer_layers,
        }
        for name, width, layers, heads, tokenizer_layers in (
            ("sapiens2_0.1b", 768, 12, 12, 2),
            ("sapiens2_0.4b", 1024, 24, 16, 2),
            ("sapiens2_0.8b", 1280, 32, 16, 3),
            ("sapiens2_1b", 1536, 40, 24, 4),
            ("sapiens2_5b", 2432, 56, 32, 6),
            # Small enough to run anywhere; not one of the released models.
            ("sapiens2_nano", 192, 6, 6, 1),
        )
    }

    def __init__(
        self,
        arch: str = "sapiens2_1b",
        img_size: int | Sequence[int] = (1024, 768),
        patch_size: int = 16,
        in_channels: int = 3,
        out_indices: int | Sequence[int] = -1,
        drop_rate: float = 0.0,
        window_size: int = 4,
        use_tokenizer: bool = False,
        use_qk_norm: bool = True,
        qkv_bias: bool = True,
        final_norm: bool = True,
        out_type: str = "raw",
        with_cls_token: bool = True,
        layer_scale_init_value: float = 1e-4,
        frozen_stages: int = -1,
        patch_cfg: dict[str, Any] | None = None,
        layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        pos_embed_rope_base: float | None = 100.0,
        pos_embed_rope_min_period: float | None = None,
        pos_embed_rope_max_period: float | None = None,
        pos_embed_rope_normalize_coords: str = "separate",
        pos_embed_rope_shift_coords: float | None = None,
        pos_embed_rope_jitter_coords: float | None = None,
        pos_embed_rope_rescale_coords: float | None = None,
        pos_embed_rope_dtype: str = "bf16",
        n_storage_tokens: int = 8,
    ) -> None:
        super().__init__()
        settings = self._settings(arch)
        if out_type not in self.OUT_TYPES:
            raise ValueError(f"out_type: expected one of {', '.join(sorted(self.OUT_TYPES))}, got {out_type!r}")
        if out_type == "cls_token" and not with_cls_token:
            raise ValueError("out_type 'cls_token' needs with_cls_token=True")
        self.arch, self.out_type, self.patch_size = arch.lower(), out_type, patch_size
        self.embed_dims, self.num_layers = settings["embed_dims"], settings["num_layers"]
        heads = settings["num_heads"]
        self.gradient_checkpointing = False
        self.frozen_stages = frozen_stages
        self.out_indices = self._layers(out_indices)

        self.patch_embed = PatchEmbed(in_channels, self.embed_dims, patch_size, patch_cfg or {})
        size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        self.tokenizer: WindowTokenizer | None = None
        if use_tokenizer:
            depth = settings["num_tokenizer_layers"]
            self.tokenizer = WindowTokenizer(self.embed_dims, heads, depth, window_size)
            size = (size[0] // window_size, size[1] // window_size)
        self.img_size = size
        self.patch_resolution = (size[0] // patch_size, size[1] // patch_size)

        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims)) if with_cls_token else None
        self.storage_tokens = (
            nn.Parameter(torch.zeros(1, n_storage_tokens, self.embed_dims)) if n_storage_tokens > 0 else None
        )
        self.num_extra_tokens = int(with_cls_token) + max(n_storage_tokens, 0)
        self.rope_embed = RotaryEmbedding(
            self.embed_dims // heads,
            base=pos_embed_rope_base,
            min_period=pos_embed_rope_min_period,
            max_period=pos_embed_rope_max_period,
            normalize_coords=pos_embed_rope_normalize_coords,
            shift=pos_embed_rope_shift_coords,
            jitter=pos_embed_rope_jitter_coords,
            rescale=pos_embed_rope_rescale_coords,
            dtype=pos_embed_rope_dtype,
        )
        common = {
            "embed_dims": self.embed_dims,
            "num_heads": heads,
            "feedforward_channels": settings["feedforward_channels"],
            "drop_rate": drop_rate,
            "qkv_bias": qkv_bias,
            "use_qk_norm": use_qk_norm,
            "layer_scale_init_value": layer_scale_init_value,
        }
        self.blocks = nn.Sequential(*self._blocks(common, layer_cfgs))
        self.ln1 = nn.RMSNorm(self.embed_dims, eps=EPS) if final_norm else None
        self.init_weights()
        self._freeze()

    @classmethod
    def _settings(cls, arch: str) -> dict[str, int]:
        name = arch.lower()
        if name not in cls.arch_zoo:
            near = difflib.get_close_matches(name, cls.arch_zoo, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown arch {arch!r}; known: {', '.join(cls.arch_zoo)}{hint}")
        return cls.arch_zoo[name]

    def _layers(self, out_indices: int | Sequence[int]) -> list[int]:
        """Non-negative indices; the number of layers itself is accepted and selects nothing, as in the original."""
        given = [out_indices] if isinstance(out_indices, int) else list(out_indices)
        layers = [index + self.num_layers if index < 0 else index for index in given]
        for index, layer in zip(given, layers, strict=True):
            if not 0 <= layer <= self.num_layers:
                raise ValueError(f"out_indices: {index} is not a layer; there are {self.num_layers}")
        return layers

    def _blocks(
        self, common: dict[str, Any], layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]] | None
    ) -> list[Block]:
        per_layer = [layer_cfgs or {}] * self.num_layers if layer_cfgs is None or isinstance(layer_cfgs, dict) else layer_cfgs
        if len(per_layer) != self.num_layers:
            raise ValueError(f"layer_cfgs: expected {self.num_layers} dicts, got {len(per_layer)}")
        blocks = []
        for index, overrides in enumerate(per_layer):
            # The first and last eight layers have a key-value head per query head, those between one for two.
            grouped = 8 <= index < self.num_layers - 8
            kv_heads = common["num_heads"] // 2 if grouped else common["num_heads"]
            blocks.append(Block(**{**common, "num_kv_heads": kv_heads, **overrides}))
        return blocks

    @torch.no_grad()
    def init_weights(self) -> None:
        """Truncated normal with std 0.02 for matrices and tokens, zero biases, unit norms."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, LayerScale):
                nn.init.constant_(module.weight, module.init_value)
        tokens = [self.cls_token, self.storage_tokens]
        if self.tokenizer is not None:
            tokens += [self.tokenizer.w_cls, self.tokenizer.local_pos_embed]
        for token in tokens:
            if token is not None:
                nn.init.trunc_normal_(token, std=0.02)

    def _frozen(self) -> list[nn.Module]:
        if self.frozen_stages <= 0:
            return []
        modules: list[nn.Module] = [self.patch_embed, *self.blocks[: self.frozen_stages]]
        modules += [self.tokenizer] if self.tokenizer is not None else []
        modules += [self.ln1] if self.ln1 is not None and self.frozen_stages >= self.num_layers else []
        return modules

    def _freeze(self) -> None:
        for module in self._frozen():
            module.eval().requires_grad_(requires_grad=False)
        if self.frozen_stages > 0:
            for token in (self.cls_token, self.storage_tokens):
                if token is not None:
                    token.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> Sapiens2:
        """As `nn.Module.train`, but frozen parts stay in eval mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    def set_gradient_checkpointing(self, enabled: bool = True) -> None:
        """Recompute each block in the backward pass instead of keeping its activations."""
        self.gradient_checkpointing = enabled

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of the selected layers, in order of depth; only the last layer's are normalised.

        Args:
            image: (B, in_channels, H, W), in the dtype of the weights, normalised RGB.

        Returns:
            one tensor per selected layer: "raw" (B, P + h*w, D) with the cls token, the registers and the patches row by
            row; "cls_token" (B, D); "featmap" (B, D, h, w).
        """
        x, rows, cols = self.patch_embed(image)
        if self.tokenizer is not None:
            x, rows, cols = self.tokenizer(x, rows, cols)
        leading = [t.expand(len(x), -1, -1) for t in (self.cls_token, self.storage_tokens) if t is not None]
        x = torch.cat([*leading, x], 1)
        rope = self.rope_embed(rows, cols)
        recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        outputs = []
        for index, block in enumerate(self.blocks):
            x = checkpoint(block, x, rope, use_reentrant=False) if recompute else block(x, rope)
            if index == self.num_layers - 1 and self.ln1 is not None:
                x = self.ln1(x)
            if index in self.out_indices:
                outputs.append(self._output(x, rows, cols))
        return tuple(outputs)

    def _output(self, x: Tensor, rows: int, cols: int) -> Tensor:
        if self.out_type == "cls_token":
            return x[:, 0]
        if self.out_type == "featmap":
            return x[:, self.num_extra_tokens :].unflatten(1, (rows, cols)).permute(0, 3, 1, 2)
        return x
