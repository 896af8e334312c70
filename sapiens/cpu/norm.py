"""Norms and SiLU of channels-last maps, in place and strip by strip, so that each strip is read from the cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sapiens.errors import InputError
from sapiens.nn.decoders import ChannelRMSNorm, InstanceNorm

STRIP_BYTES = 1 << 20


class InstanceNormSiLU(nn.Module):
    """`InstanceNorm`, then SiLU. Overwrites its input if that is channels-last: for maps that nothing else holds."""

    eps = InstanceNorm.eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) float32 -> the same shape, channels-last.

        Raises:
            InputError: the map has a single pixel, which has no variance.
        """
        pixels = x.shape[2] * x.shape[3]
        if pixels == 1:
            raise InputError(f"instance norm needs more than one pixel, got a map of shape {tuple(x.shape)}")
        flat = x.permute(0, 2, 3, 1).reshape(x.shape[0], pixels, x.shape[1])
        for one in flat:
            mean, scale = self._statistics(one)
            shift = -mean * scale
            for strip in _strips(one):
                F.silu(torch.addcmul(shift, strip, scale, out=strip), inplace=True)
        return flat.view(x.shape[0], *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and 1 / deviation of the channels of (pixels, C); strips are combined as Chan et al. 1979 do."""
        counts, means, spreads = [], [], []
        for strip in _strips(x):
            mean = strip.mean(0)
            counts.append(len(strip))
            means.append(mean)
            spreads.append((strip - mean).square_().sum(0))
        weight = x.new_tensor(counts)[:, None] / len(x)
        each = torch.stack(means)
        mean = (each * weight).sum(0)
        variance = torch.stack(spreads).sum(0) / len(x) + ((each - mean).square() * weight).sum(0)
        return mean, torch.rsqrt(variance + self.eps)


class ChannelNormSiLU(nn.Module):
    """`ChannelRMSNorm`, then SiLU; overwrites its input likewise."""

    def __init__(self, source: ChannelRMSNorm) -> None:
        super().__init__()
        self.norm = source.norm

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) float32 -> the same shape, channels-last."""
        rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        for strip in _strips(rows):
            F.silu(strip.copy_(self.norm(strip)), inplace=True)
        return rows.view(x.shape[0], *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)


def _strips(x: Tensor) -> Iterator[Tensor]:
    rows = max(1, STRIP_BYTES // (4 * x.shape[1]))
    for start in range(0, len(x), rows):
        yield x[start : start + rows]
