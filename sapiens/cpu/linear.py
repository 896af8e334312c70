"""Matrix products of a CPU by oneDNN: in float32, and of 8-bit integers."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

LEVELS = 127
"""Largest 8-bit integer used, on either side of zero."""
SAFE_LEVELS = 64
"""Likewise of weights where two products are added in 16 bits: oneDNN shifts inputs to 0..255; 2 * 255 * 64 < 2^15."""


def has_onednn() -> bool:
    """Whether torch was built with the products used here."""
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class OneDnnLinear(nn.Module):
    """A float32 linear layer that shares its parameters with the one it replaces.

    torch's own takes MKL, which does not use all that processors not made by Intel can do.
    """

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = source.weight, source.bias
        self.in_features, self.out_features = source.in_features, source.out_features

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        flat = x.reshape(-1, self.in_features)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(flat, self.weight, self.bias, "none", [], "")
        return y.view(*x.shape[:-1], self.out_features)


@functools.cache
def weight_levels() -> int:
    """`LEVELS`, or `SAFE_LEVELS` on processors whose sums saturate: x86 without VNNI."""
    ones = torch.full((64, 256), LEVELS, dtype=torch.int8)
    exact = bool((torch._int_mm(ones, ones.T) == 256 * LEVELS**2).all())
    return LEVELS if exact else SAFE_LEVELS


class Int8Linear(nn.Module):
    """A linear layer of 8-bit integers: one scale per output of the weight, and per row of the input when it comes.

    Symmetric, round to nearest; sums are exact 32-bit integers, for which weights have 7 bits on processors that would
    saturate. Weights take a quarter of float32's memory.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = source.in_features, source.out_features
        whole, scale = quantised(source.weight.detach(), weight_levels())
        self.register_buffer("weight", whole, persistent=False)
        self.register_buffer("scale", scale[:, 0], persistent=False)
        self.register_buffer("bias", None if source.bias is None else source.bias.detach().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) float32 -> (..., out_features) float32."""
        whole, scale = quantised(x.reshape(-1, self.in_features))
        y = torch._int_mm(whole, self.weight.T).float()
        y.mul_(scale).mul_(self.scale)
        if self.bias is not None:
            y.add_(self.bias)
        return y.view(*x.shape[:-1], self.out_features)


def quantised(rows: Tensor, levels: int = LEVELS) -> tuple[Tensor, Tensor]:
    """(N, D) float -> (N, D) int8 in -levels..levels, and (N, 1) float32 such that their product is the nearest."""
    values = rows.float()
    scale = values.abs().amax(1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny * levels) / levels
    return (values / scale).round_().to(torch.int8), scale
