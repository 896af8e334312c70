"""The backbone of generation 1, Sapiens, in one file; torch is all it needs, and the file can be copied elsewhere.

    model = Sapiens("1b", img_size=1024, out_type="featmap").eval()
    features = model(image)[0]            # (B, 1536, 64, 64)

A plain pre-norm vision transformer with a learned position table; "Sapiens: Foundation for Human Vision Models",
arXiv 2408.12569. Parameter names are those of the released files.

Shape suffixes: B batch, N tokens (the cls token, then patches row by row), D width, H heads, d head size.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

EPS = 1e-6


class PatchEmbed(nn.Module):
    """Patches to tokens; an incomplete patch at the bottom or right is filled with zeros, or left out."""

    def __init__(
        self, in_channels: int, embed_dims: int, patch_size: int, patch_cfg: dict[str, Any], *, pad: bool
    ) -> None:
        super().__init__()
        overrides = {name: value for name, value in patch_cfg.items() if name != "padding"}
        _check_names("patch_cfg", overrides, {"kernel_size", "stride", "dilation", "bias"})
        self.projection = nn.Conv2d(
            in_channels, embed_dims, **{"kernel_size": patch_size, "stride": patch_size, **overrides}
        )
        self.pad = pad

    def grid(self, size_hw: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of patches in a picture."""
        rows, cols = (self._along(axis, length)[0] for axis, length in enumerate(size_hw))
        return rows, cols

    def _along(self, axis: int, length: int) -> tuple[int, int]:
        """Number of patches along an axis, and pixels to add."""
        stride, reach = self.projection.stride[axis], self.projection.kernel_size[axis] - 1
        extent = self.projection.dilation[axis] * reach + 1
        if not self.pad:
            return (length - extent) // stride + 1, 0
        count = -(-length // stride)
        return count, max((count - 1) * stride + extent - length, 0)

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, H, W) -> tokens (B, rows * cols, D) and the grid."""
        channels = self.projection.in_channels
        if image.dim() != 4 or image.shape[1] != channels or min(self.grid(image.shape[2:])) < 1:
            expected = f"(B, {channels}, H, W) of at least one patch"
            raise ValueError(f"image: expected {expected}, got {tuple(image.shape)}")
        (_, bottom), (_, right) = self._along(0, image.shape[2]), self._along(1, image.shape[3])
        if bottom or right:
            image = F.pad(image, (0, right, 0, bottom))
        x: Tensor = self.projection(image)
        return x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])


class Attention(nn.Module):
    """Multi-head attention with one projection for queries, keys and values."""

    def __init__(
        self, embed_dims: int, num_heads: int, *, attn_drop_rate: float, drop_rate: float, qkv_bias: bool
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f"a width of {embed_dims} does not divide into {num_heads} heads")
        self.num_heads, self.attn_drop_rate = num_heads, attn_drop_rate
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)

    def forward(self, x_BND: Tensor) -> Tensor:
        B, N, D = x_BND.shape
        q, k, v = self.qkv(x_BND).view(B, N, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        y_BHNd = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop_rate if self.training else 0.0)
        out: Tensor = self.proj_drop(self.proj(y_BHNd.transpose(1, 2).reshape(B, N, D)))
        return out


class FeedForward(nn.Module):
    """Two linear layers with exact GELU between them."""

    def __init__(self, embed_dims: int, feedforward_channels: int, drop_rate: float) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(embed_dims, feedforward_channels), nn.GELU(), nn.Dropout(drop_rate))
        self.layers = nn.Sequential(first, nn.Linear(feedforward_channels, embed_dims), nn.Dropout(drop_rate))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class Block(nn.Module):
    """Attention and feed-forward, each after a norm and added to its input."""

    def __init__(
        self,
        embed_dims: int,
        *,
        num_heads: int,
        feedforward_channels: int,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(embed_dims, eps=EPS)
        self.attn = Attention(
            embed_dims, num_heads, attn_drop_rate=attn_drop_rate, drop_rate=drop_rate, qkv_bias=qkv_bias
        )
        self.ln2 = nn.LayerNorm(embed_dims, eps=EPS)
        self.ffn = FeedForward(embed_dims, feedforward_channels, drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        out: Tensor = x + self.ffn(self.ln2(x))
        return out


def _check_names(where: str, given: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")


class Sapiens(nn.Module):
    """The Sapiens backbone of generation 1.

    Args:
        arch: a key of `arch_zoo`, with or without `sapiens_` in front, upper or lower case.
        img_size: (H, W) or one number; sets the grid of the position table, which is resized for other pictures. The
            released models have 1024.
        patch_size: side of a patch in pixels.
        in_channels: channels of the picture.
        out_indices: which layers' outputs to return, an index or several, negative ones from the end.
        drop_rate: dropout after the position table, each projection and the GELU.
        qkv_bias, final_norm, with_cls_token: parts that can be left out.
        out_type: "raw" all tokens, "cls_token" the first, "featmap" the patches as a map.
        frozen_stages: k > 0 freezes patch embedding, cls token, position table and the first k layers; with all layers
            also the final norm. They stay in eval mode when `.train()` is called.
        interpolate_mode: how the position table is resized.
        patch_cfg: overrides of the patch convolution: kernel_size, stride, dilation, bias.
        layer_cfgs: overrides of the layers, one dict for all or one per layer: see `LAYER_SETTINGS`.
        pad: fill an incomplete patch with zeros, as the original's standalone file does; False leaves it out, as the
            original's framework does.

    Attributes:
        embed_dims, num_layers: width D and number of layers.
        num_extra_tokens: 1 with a cls token, else 0.
        out_indices: the selected layers, non-negative, as given.
        patch_resolution: grid (rows, columns) of the position table.

    Raises:
        ValueError: an unknown arch (names the nearest) or settings that cannot be.
    """

    OUT_TYPES: ClassVar[set[str]] = {"raw", "cls_token", "featmap"}
    LAYER_SETTINGS: ClassVar[set[str]] = {
        "num_heads",
        "feedforward_channels",
        "drop_rate",
        "attn_drop_rate",
        "qkv_bias",
    }
    arch_zoo: ClassVar[dict[str, dict[str, int]]] = {
        name: {
            "embed_dims": width,
            "num_layers": layers,
            "num_heads": heads,
            "feedforward_channels": 4 * width,
        }
        for name, width, layers, heads in (
            ("0.3b", 1024, 24, 16),
            ("0.6b", 1280, 32, 16),
            ("1b", 1536, 40, 24),
            ("2b", 1920, 48, 32),
        )
    }

    def __init__(
        self,
        arch: str,
        img_size: int | Sequence[int] = 224,
        patch_size: int = 16,
        in_channels: int = 3,
        out_indices: int | Sequence[int] = -1,
        drop_rate: float = 0.0,
        qkv_bias: bool = True,
        final_norm: bool = True,
        out_type: str = "cls_token",
        with_cls_token: bool = True,
        frozen_stages: int = -1,
        interpolate_mode: str = "bicubic",
        patch_cfg: dict[str, Any] | None = None,
        layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        *,
        pad: bool = True,
    ) -> None:
        super().__init__()
        dims = self._dims(arch)
        if out_type not in self.OUT_TYPES:
            raise ValueError(f"out_type: expected one of {', '.join(sorted(self.OUT_TYPES))}, got {out_type!r}")
        if out_type == "cls_token" and not with_cls_token:
            raise ValueError("out_type 'cls_token' needs with_cls_token=True")
        self.embed_dims, self.num_layers = dims["embed_dims"], dims["num_layers"]
        self.arch, self.patch_size, self.frozen_stages = arch.lower(), patch_size, frozen_stages
        self.out_type, self.out_indices = out_type, self._selected(out_indices)
        self.interpolate_mode = interpolate_mode
        self.gradient_checkpointing = False

        self.patch_embed = PatchEmbed(in_channels, self.embed_dims, patch_size, patch_cfg or {}, pad=pad)
        self.img_size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        self.patch_resolution = self.patch_embed.grid(self.img_size)
        self.num_extra_tokens = int(with_cls_token)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims)) if with_cls_token else None
        positions = self.num_extra_tokens + math.prod(self.patch_resolution)
        self.pos_embed = nn.Parameter(torch.zeros(1, positions, self.embed_dims))
        self.drop_after_pos = nn.Dropout(drop_rate)
        settings = {
            "num_heads": dims["num_heads"],
            "feedforward_channels": dims["feedforward_channels"],
            "drop_rate": drop_rate,
            "qkv_bias": qkv_bias,
        }
        self.layers = nn.Sequential(*self._blocks(settings, layer_cfgs or {}))
        self.ln1 = nn.LayerNorm(self.embed_dims, eps=EPS) if final_norm else None
        self._freeze()

    @classmethod
    def _dims(cls, arch: str) -> dict[str, int]:
        name = arch.lower().removeprefix("sapiens_")
        if name not in cls.arch_zoo:
            near = difflib.get_close_matches(name, cls.arch_zoo, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown arch {arch!r}; known: {', '.join(cls.arch_zoo)}{hint}")
        return cls.arch_zoo[name]

    def _selected(self, out_indices: int | Sequence[int]) -> list[int]:
        """Non-negative indices; the number of layers itself is accepted and selects nothing, as in the original."""
        given = [out_indices] if isinstance(out_indices, int) else out_indices
        layers = [index + self.num_layers if index < 0 else index for index in given]
        if any(not 0 <= layer <= self.num_layers for layer in layers):
            raise ValueError(f"out_indices: expected layers of {self.num_layers}, got {out_indices}")
        return layers

    def _blocks(self, settings: dict[str, Any], layer_cfgs: dict[str, Any] | Sequence[dict[str, Any]]) -> list[Block]:
        overrides = [layer_cfgs] * self.num_layers if isinstance(layer_cfgs, dict) else layer_cfgs
        if len(overrides) != self.num_layers:
            raise ValueError(f"layer_cfgs: expected {self.num_layers} dicts, got {len(overrides)}")
        for changes in overrides:
            _check_names("layer_cfgs", changes, self.LAYER_SETTINGS)
        return [Block(self.embed_dims, **{**settings, **changes}) for changes in overrides]

    def _freeze(self) -> None:
        if self.frozen_stages <= 0:
            return
        frozen: list[nn.Module] = [self.patch_embed, self.drop_after_pos, *list(self.layers)[: self.frozen_stages]]
        if self.ln1 is not None and self.frozen_stages >= self.num_layers:
            frozen.append(self.ln1)
        for module in frozen:
            module.eval().requires_grad_(False)
        for table in (self.cls_token, self.pos_embed):
            if table is not None:
                table.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but frozen parts stay frozen and in eval mode."""
        super().train(mode)
        self._freeze()
        return self

    def set_gradient_checkpointing(self, enabled: bool = True) -> None:
        """Recompute each layer in the backward pass of training instead of keeping its activations."""
        self.gradient_checkpointing = enabled

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of the selected layers, in order of depth; only the last layer's are normalised.

        Args:
            image: (B, in_channels, H, W), in the dtype of the weights, normalised RGB.

        Returns:
            one tensor per selected layer: "raw" (B, 1 + rows*cols, D) with the cls token first and the patches row by
            row; "cls_token" (B, D); "featmap" (B, D, rows, cols).

        Raises:
            ValueError: a picture of the wrong shape.
        """
        x, grid = self.patch_embed(image)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1)
        x = self.drop_after_pos(x + self._resized(self.pos_embed, self.patch_resolution, grid))
        recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        outputs = []
        for index, layer in enumerate(self.layers):
            x = checkpoint(layer, x, use_reentrant=False) if recompute else layer(x)
            if index in self.out_indices:
                is_last = index == self.num_layers - 1
                outputs.append(self._output(self.ln1(x) if is_last and self.ln1 is not None else x, grid))
        return tuple(outputs)

    def _output(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        if self.out_type == "cls_token":
            return x[:, 0]
        if self.out_type == "featmap":
            return x[:, self.num_extra_tokens :].reshape(x.shape[0], *grid, self.embed_dims).permute(0, 3, 1, 2)
        return x

    def _resized(self, table: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
        """A position table (1, P + rows * cols, D) for another grid; the cls token's entry is kept."""
        if source == target:
            return table
        leading, patches = table[:, : self.num_extra_tokens], table[:, self.num_extra_tokens :]
        image = patches.float().reshape(1, *source, -1).permute(0, 3, 1, 2)
        image = F.interpolate(image, size=target, mode=self.interpolate_mode)
        return torch.cat([leading, image.flatten(2).transpose(1, 2).to(table.dtype)], 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Resize a position table made for another picture size before it is loaded."""
        name = f"{prefix}pos_embed"
        if name in state_dict:
            state_dict[name] = self._fitted(state_dict[name])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _fitted(self, table: Tensor) -> Tensor:
        own = self.pos_embed.shape
        if table.dim() != 3 or table.shape[2] != own[2]:
            return table  # of another arch: loading says so
        if self.cls_token is None and (table.shape[1] == own[1] + 1 or table.shape[1] % 2 == 1):
            table = table[:, 1:]
        if table.shape == own:
            return table
        count = table.shape[1] - self.num_extra_tokens
        source = _guess_grid(count, self.patch_size)
        if source is None:
            rows, cols = self.patch_resolution
            warnings.warn(
                f"pos_embed: {count} positions are no grid that is known (square, or 4:3 upright); "
                f"the model keeps its own table of {rows}x{cols}",
                stacklevel=2,
            )
            return self.pos_embed.detach().clone()
        return self._resized(table, source, self.patch_resolution)


def _guess_grid(count: int, patch_size: int) -> tuple[int, int] | None:
    """Rows and columns of a table with `count` positions: square, or 4:3 upright."""
    side = math.isqrt(count)
    if side * side == count:
        return side, side
    factor = math.isqrt(count * patch_size**2 // 12)
    rows, cols = 4 * factor // patch_size, 3 * factor // patch_size
    return (rows, cols) if rows * cols == count else None
