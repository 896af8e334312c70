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
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

EPS = 1e-6
Table = tuple[Tensor, Tensor]
"""Sine and cosine of the rotary angles, each (patches, d)."""


class RotaryEmbedding(nn.Module):
    """Rotary positions for a 2-D grid of patches.

    Half of the angles come from the row, half from the column, each in -1..1. The released models were trained with
    every step of this rounded to bfloat16, whatever the dtype of the weights; so does the default here. The table's
    dtype is that of `dtype` and the buffer `periods` together: casting the module to float32 makes it float32.

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

    CACHED_GRIDS = 8

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
        if normalize_coords not in ("separate", "max", "min"):
            raise ValueError(f"normalize_coords: expected separate, max or min, got {normalize_coords!r}")
        if min(jitter or 1, rescale or 1) < 1:
            raise ValueError(f"jitter and rescale are at least 1, got {jitter} and {rescale}")
        self.normalize_coords = normalize_coords
        self.shift, self.jitter, self.rescale = shift, jitter, rescale
        # Kept apart from the buffer's dtype: casting the module changes the buffer, and only the buffer.
        self.dtype = torch.bfloat16 if dtype == "bf16" else torch.float32
        # Worked out on the CPU: on the meta device this arithmetic alone makes torch import its compiler, for a second.
        with torch.device("cpu"):
            periods = _periods(head_dim // 4, base, min_period, max_period, self.dtype)
        self.register_buffer("periods", periods.to(torch.get_default_device()))
        self._tables: dict[tuple[int, int], tuple[Tensor, int, Table]] = {}

    def forward(self, rows: int, cols: int) -> Table:
        """Sine and cosine for a grid, each (rows * cols, head_dim), patches row by row."""
        augment = self.training and not (self.shift is None and self.jitter is None and self.rescale is None)
        periods = self.periods
        # What is traced must not be kept, and a change of an inference tensor goes unseen.
        if augment or torch.compiler.is_compiling() or periods.is_inference():
            return self._table(rows, cols, augment=augment)
        made_from, version, table = self._tables.get((rows, cols), (None, 0, None))
        if table is None or made_from is not periods or version != periods._version:
            # Ordinary tensors even if asked for in inference mode, so that a later training step may use them.
            with torch.inference_mode(mode=False):
                table = self._table(rows, cols)
            if type(table[0]) is Tensor:  # not a fake one
                if len(self._tables) >= self.CACHED_GRIDS:
                    self._tables.clear()
                self._tables[rows, cols] = (periods, periods._version, table)
        return table

    def _table(self, rows: int, cols: int, *, augment: bool = False) -> Table:
        # Every step is rounded; their order is part of the released models' numbers.
        periods = self.periods
        dtype = torch.promote_types(self.dtype, periods.dtype)
        lengths = {"separate": (rows, cols), "max": (max(rows, cols),) * 2, "min": (min(rows, cols),) * 2}
        axes = []
        for count, length in zip((rows, cols), lengths[self.normalize_coords], strict=True):
            centres = torch.arange(0.5, count, dtype=self.dtype, device=periods.device).float()
            axes.append(_round(2 * _round(centres / length, self.dtype) - 1, self.dtype))
        if augment:
            axes = [_round(axis, self.dtype) for axis in self._augment(axes)]
        turns = [_round(2 * math.pi * axis, self.dtype)[:, None] / periods for axis in axes]
        shape = (rows, cols, periods.shape[0])
        angles = torch.cat([turns[0][:, None].expand(shape), turns[1][None].expand(shape)], -1)
        angles = _round(angles.reshape(rows * cols, -1).repeat(1, 2), dtype)
        return angles.sin().to(dtype), angles.cos().to(dtype)

    def _augment(self, axes: list[Tensor]) -> list[Tensor]:
        def draw(count: int, bound: float) -> list[Tensor]:
            return list(torch.empty(count, device=self.periods.device).uniform_(-bound, bound))

        if self.shift is not None:
            axes = [axis + offset for axis, offset in zip(axes, draw(2, self.shift), strict=True)]
        if self.jitter is not None:
            axes = [axis * power.exp() for axis, power in zip(axes, draw(2, math.log(self.jitter)), strict=True)]
        if self.rescale is not None:
            factor = draw(1, math.log(self.rescale))[0].exp()
            axes = [axis * factor for axis in axes]
        return axes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tables": {}}


def _periods(count: int, base: float | None, low: float | None, high: float | None, dtype: torch.dtype) -> Tensor:
    if base is not None and low is None and high is None:
        return base ** (2 * torch.arange(count, dtype=dtype) / (2 * count))
    if base is None and low is not None and high is not None:
        ratio = high / low
        return ratio ** torch.linspace(0, 1, count, dtype=dtype) / ratio * high
    raise ValueError("rotary periods: give either the base, or both the shortest and the longest period")


def _round(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Values of `dtype`, in float32 if that is bfloat16."""
    if dtype is not torch.bfloat16:
        return x
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        # The compiler leaves out conversions there and back, and the table would be off by up to 0.03.
        bits = x.view(torch.int32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000).view(torch.float32)
    return x.bfloat16().float()


def rotate(x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """Rotate the last tokens of (..., N, d) by a table of (n, d), n <= N, and return x's dtype.

    The tokens before them are not rotated, but like all of x they go through the table's dtype.
    """
    dtype, half = x.dtype, x.shape[-1] // 2
    x = x.to(sin.dtype)
    start = x.shape[-2] - sin.shape[0]
    first, second = x[..., start:, :half], x[..., start:, half:]
    # The two halves of the table are equal; products and sum round one by one, as in the released models.
    sin, cos = sin[:, :half], cos[:, :half]
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return torch.cat([x[..., :start, :], turned], -2).to(dtype)


class RMSNorm(nn.RMSNorm):
    """torch's, with the weight in the input's dtype: they differ under autocast, where torch would warn and be slow."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class LayerScale(nn.Module):
    """A learned factor per channel."""

    def __init__(self, dim: int, init_value: float) -> None:
        super().__init__()
        self.init_value = init_value
        self.weight = nn.Parameter(torch.full((dim,), init_value))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Attention(nn.Module):
    """Multi-head attention: key-value heads shared by query heads, query-key norm, rotary positions, LayerScale."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        *,
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
            raise ValueError(f"heads do not divide: width {embed_dims}, {num_heads} heads, {num_kv_heads} with keys")
        self.head_dim = embed_dims // num_heads
        self.attn_drop_rate = attn_drop_rate
        self.wq = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.wk = nn.Linear(embed_dims, self.num_kv_heads * self.head_dim, bias=qkv_bias)
        self.wv = nn.Linear(embed_dims, self.num_kv_heads * self.head_dim, bias=qkv_bias)
        self.q_norm = RMSNorm(self.head_dim) if use_qk_norm else nn.Identity()
        self.k_norm = RMSNorm(self.head_dim) if use_qk_norm else nn.Identity()
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)
        self.gamma = LayerScale(embed_dims, layer_scale_init_value) if layer_scale_init_value > 0 else nn.Identity()

    def forward(self, x_BND: Tensor, rope: Table | None = None) -> Tensor:
        (B, N, _), H, K, d = x_BND.shape, self.num_heads, self.num_kv_heads, self.head_dim
        q_BHNd = self.q_norm(self.wq(x_BND).view(B, N, H, d)).transpose(1, 2)
        k_BKNd = self.k_norm(self.wk(x_BND).view(B, N, K, d)).transpose(1, 2)
        v_BKNd = self.wv(x_BND).view(B, N, K, d).transpose(1, 2)
        if rope is not None:
            q_BHNd, k_BKNd = rotate(q_BHNd, *rope), rotate(k_BKNd, *rope)
        # Queries do not see one another, so the H/K heads that share a key-value head can stand in one long sequence.
        # No key or value is copied, on any backend; torch's enable_gqa has no fused float32 kernel on CUDA.
        y = F.scaled_dot_product_attention(
            q_BHNd.reshape(B, K, -1, d), k_BKNd, v_BKNd, dropout_p=self.attn_drop_rate if self.training else 0.0
        )
        y_BND = y.reshape(B, K, H // K, N, d).permute(0, 3, 1, 2, 4).reshape(B, N, H * d)
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
        self.ln1 = RMSNorm(embed_dims)
        self.attn = Attention(embed_dims, num_heads, **attention)
        self.ln2 = RMSNorm(embed_dims)
        self.ffn = SwiGLU(embed_dims, feedforward_channels)

    def forward(self, x: Tensor, rope: Table | None = None) -> Tensor:
        x = x + self.attn(self.ln1(x), rope)
        out: Tensor = x + self.ffn(self.ln2(x))
        return out


class WindowTokenizer(nn.Module):
    """Turns each window of patches into one token, so that 4096x3072 pictures have as many tokens as 1024x768 ones."""

    CHUNK = 1024
    """Windows at a time; bounds the memory and changes no result."""

    def __init__(self, embed_dims: int, num_heads: int, num_layers: int, window_size: int) -> None:
        super().__init__()
        self.window_size = window_size
        self.w_cls = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.local_pos_embed = nn.Parameter(torch.zeros(1, 1 + window_size**2, embed_dims))
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, 4 * embed_dims, use_qk_norm=False) for _ in range(num_layers)
        )

    def forward(self, x_BND: Tensor, rows: int, cols: int) -> tuple[Tensor, int, int]:
        """Patch tokens of a grid -> window tokens and their grid.

        Raises:
            ValueError: a grid that the window does not divide.
        """
        (B, _, D), w = x_BND.shape, self.window_size
        if rows % w or cols % w:
            raise ValueError(f"image: {rows}x{cols} patches do not divide into the tokenizer's {w}x{w} windows")
        windows = x_BND.reshape(B, rows // w, w, cols // w, w, D).transpose(2, 3).reshape(-1, w * w, D)
        recompute = self.training and torch.is_grad_enabled()
        tokens = []
        for start in range(0, windows.shape[0], self.CHUNK):
            chunk = windows[start : start + self.CHUNK]
            tokens.append(checkpoint(self._encode, chunk, use_reentrant=False) if recompute else self._encode(chunk))
        return torch.cat(tokens).reshape(B, -1, D), rows // w, cols // w

    def _encode(self, windows: Tensor) -> Tensor:
        tokens = torch.cat([self.w_cls.expand(windows.shape[0], -1, -1), windows], 1) + self.local_pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return tokens[:, 0]


class PatchEmbed(nn.Module):
    """Patches to tokens; rows and columns beyond the last whole patch are left out."""

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int, patch_cfg: dict[str, Any]) -> None:
        super().__init__()
        overrides = {name: value for name, value in patch_cfg.items() if name != "padding"}
        _check_names("patch_cfg", overrides, {"kernel_size", "stride", "dilation", "bias"})
        self.projection = nn.Conv2d(
            in_channels, embed_dims, **{"kernel_size": patch_size, "stride": patch_size, **overrides}
        )

    def forward(self, image: Tensor) -> tuple[Tensor, int, int]:
        """(B, C, H, W) -> tokens (B, rows * cols, D) and the grid."""
        channels, (height, width) = self.projection.in_channels, self.projection.kernel_size
        if image.dim() != 4 or image.shape[1] != channels or image.shape[2] < height or image.shape[3] < width:
            expected = f"(B, {channels}, H, W) of at least {height}x{width} pixels"
            raise ValueError(f"image: expected {expected}, got {tuple(image.shape)}")
        x: Tensor = self.projection(image)
        return x.flatten(2).transpose(1, 2), x.shape[2], x.shape[3]


def _check_names(where: str, given: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")


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
        patch_cfg: overrides of the patch convolution: kernel_size, stride, dilation, bias.
        layer_cfgs: overrides of the blocks, one dict for all or one per block: see `BLOCK_SETTINGS`.
        pos_embed_rope_*: see `RotaryEmbedding`.
        n_storage_tokens: registers behind the cls token.

    Attributes:
        embed_dims, num_layers: width D and number of blocks.
        num_extra_tokens: leading tokens P.
        out_indices: the selected layers, non-negative, as given.
        patch_resolution: grid (rows, columns) of a picture of `img_size`, after the tokenizer.
        blocks, tokenizer: the blocks, and the tokenizer or None.

    Raises:
        ValueError: an unknown arch (names the nearest) or settings that cannot be.
    """

    OUT_TYPES: ClassVar[set[str]] = {"raw", "cls_token", "featmap"}
    BLOCK_SETTINGS: ClassVar[set[str]] = {
        "num_heads",
        "num_kv_heads",
        "feedforward_channels",
        "drop_rate",
        "attn_drop_rate",
        "layer_scale_init_value",
        "use_qk_norm",
        "qkv_bias",
    }
    arch_zoo: ClassVar[dict[str, dict[str, int]]] = {
        name: {
            "embed_dims": width,
            "num_layers": layers,
            "num_heads": heads,
            "feedforward_channels": feedforward * width,
            "num_tokenizer_layers": tokenizer_layers,
        }
        for name, width, layers, heads, tokenizer_layers, feedforward in (
            ("sapiens2_0.1b", 768, 12, 12, 2, 4),
            ("sapiens2_0.4b", 1024, 24, 16, 2, 4),
            ("sapiens2_0.8b", 1280, 32, 16, 3, 4),
            ("sapiens2_1b", 1536, 40, 24, 4, 4),
            ("sapiens2_5b", 2432, 56, 32, 6, 4),
            # Small enough to run anywhere; not one of the released models.
            ("sapiens2_nano", 128, 6, 4, 1, 3),
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
        dims = self._dims(arch)
        if out_type not in self.OUT_TYPES:
            raise ValueError(f"out_type: expected one of {', '.join(sorted(self.OUT_TYPES))}, got {out_type!r}")
        if out_type == "cls_token" and not with_cls_token:
            raise ValueError("out_type 'cls_token' needs with_cls_token=True")
        self.embed_dims, self.num_layers, heads = dims["embed_dims"], dims["num_layers"], dims["num_heads"]
        self.arch, self.patch_size, self.frozen_stages = arch.lower(), patch_size, frozen_stages
        self.out_type, self.out_indices = out_type, self._layers(out_indices)
        self.gradient_checkpointing = False

        rows, cols = (img_size, img_size) if isinstance(img_size, int) else img_size
        self.patch_embed = PatchEmbed(in_channels, self.embed_dims, patch_size, patch_cfg or {})
        self.tokenizer: WindowTokenizer | None = None
        if use_tokenizer:
            self.tokenizer = WindowTokenizer(self.embed_dims, heads, dims["num_tokenizer_layers"], window_size)
            rows, cols = rows // window_size, cols // window_size
        self.img_size, self.patch_resolution = (rows, cols), (rows // patch_size, cols // patch_size)

        self.cls_token = self._tokens(int(with_cls_token))
        self.storage_tokens = self._tokens(n_storage_tokens)
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
        settings = {
            "num_heads": heads,
            "feedforward_channels": dims["feedforward_channels"],
            "drop_rate": drop_rate,
            "qkv_bias": qkv_bias,
            "use_qk_norm": use_qk_norm,
            "layer_scale_init_value": layer_scale_init_value,
        }
        self.blocks = nn.Sequential(*self._blocks(settings, layer_cfgs or {}))
        self.ln1 = RMSNorm(self.embed_dims) if final_norm else None
        self.init_weights()
        self._freeze()

    @classmethod
    def _dims(cls, arch: str) -> dict[str, int]:
        if arch.lower() not in cls.arch_zoo:
            near = difflib.get_close_matches(arch.lower(), cls.arch_zoo, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown arch {arch!r}; known: {', '.join(cls.arch_zoo)}{hint}")
        return cls.arch_zoo[arch.lower()]

    def _layers(self, out_indices: int | Sequence[int]) -> list[int]:
        """Non-negative indices; the number of layers itself is accepted and selects nothing, as in the original."""
        given = [out_indices] if isinstance(out_indices, int) else out_indices
        layers = [index + self.num_layers if index < 0 else index for index in given]
        if any(not 0 <= layer <= self.num_layers for layer in layers):
            raise ValueError(f"out_indices: expected layers of {self.num_layers}, got {out_indices}")
        return layers

    def _tokens(self, count: int) -> nn.Parameter | None:
        return nn.Parameter(torch.zeros(1, count, self.embed_dims)) if count > 0 else None

    def _blocks(self, settings: dict[str, Any], layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]]) -> list[Block]:
        overrides = [layer_cfgs] * self.num_layers if isinstance(layer_cfgs, dict) else layer_cfgs
        if len(overrides) != self.num_layers:
            raise ValueError(f"layer_cfgs: expected {self.num_layers} dicts, got {len(overrides)}")
        blocks = []
        for index, changes in enumerate(overrides):
            _check_names("layer_cfgs", changes, self.BLOCK_SETTINGS)
            layer = {**settings, **changes}
            # The first and last eight layers have a key-value head per query head, those between one for two.
            grouped = 8 <= index < self.num_layers - 8
            layer.setdefault("num_kv_heads", layer["num_heads"] // 2 if grouped else layer["num_heads"])
            blocks.append(Block(self.embed_dims, **layer))
        if any(4 * self.rope_embed.periods.shape[0] != block.attn.head_dim for block in blocks):
            raise ValueError("layer_cfgs: num_heads must be that of the arch, all heads share one rotary table")
        return blocks

    @torch.no_grad()
    def init_weights(self) -> None:
        """Truncated normal with std 0.02 for matrices and tokens, zero biases, unit norms."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
            elif isinstance(module, LayerScale):
                nn.init.constant_(module.weight, module.init_value)
            elif isinstance(module, WindowTokenizer):
                nn.init.trunc_normal_(module.w_cls, std=0.02)
                nn.init.trunc_normal_(module.local_pos_embed, std=0.02)
        for token in self._leading():
            nn.init.trunc_normal_(token, std=0.02)

    def _leading(self) -> list[nn.Parameter]:
        return [token for token in (self.cls_token, self.storage_tokens) if token is not None]

    def _freeze(self) -> None:
        if self.frozen_stages <= 0:
            return
        frozen: list[nn.Module | None] = [self.patch_embed, self.tokenizer, *list(self.blocks)[: self.frozen_stages]]
        if self.frozen_stages >= self.num_layers:
            frozen.append(self.ln1)
        for module in frozen:
            if module is not None:
                module.eval().requires_grad_(False)
        for token in self._leading():
            token.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but frozen parts stay frozen and in eval mode."""
        super().train(mode)
        self._freeze()
        return self

    def set_gradient_checkpointing(self, enabled: bool = True) -> None:
        """Recompute each block in the backward pass of training instead of keeping its activations."""
        self.gradient_checkpointing = enabled

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of the selected layers, in order of depth; only the last layer's are normalised.

        Args:
            image: (B, in_channels, H, W), in the dtype of the weights, normalised RGB.

        Returns:
            one tensor per selected layer: "raw" (B, P + rows*cols, D) with the cls token, the registers and the patches
            row by row; "cls_token" (B, D); "featmap" (B, D, rows, cols).

        Raises:
            ValueError: a picture of the wrong shape, or one the tokenizer's windows do not divide.
        """
        x, rows, cols = self.patch_embed(image)
        if self.tokenizer is not None:
            x, rows, cols = self.tokenizer(x, rows, cols)
        x = torch.cat([*(token.expand(x.shape[0], -1, -1) for token in self._leading()), x], 1)
        rope = self.rope_embed(rows, cols)
        recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        outputs = []
        for index, block in enumerate(self.blocks):
            x = checkpoint(block, x, rope, use_reentrant=False) if recompute else block(x, rope)
            if index in self.out_indices:
                is_last = index == self.num_layers - 1
                outputs.append(self._output(self.ln1(x) if is_last and self.ln1 is not None else x, rows, cols))
        return tuple(outputs)

    def _output(self, x: Tensor, rows: int, cols: int) -> Tensor:
        if self.out_type == "cls_token":
            return x[:, 0]
        if self.out_type == "featmap":
            patches = x[:, self.num_extra_tokens :]
            return patches.reshape(x.shape[0], rows, cols, self.embed_dims).permute(0, 3, 1, 2)
        return x
