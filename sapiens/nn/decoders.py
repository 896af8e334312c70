"""Decoder stacks the heads are made of, and the two decoders that combine them.

Every stack is one flat `nn.Sequential`, or a sequence of them, so that parameter names equal those of the released
files. Maps are (B, C, H, W) in any memory format; a channels-last map stays channels-last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sapiens.errors import InputError

Norm = Literal["instance", "channel"]
Widths = Sequence[int] | None

# kernel -> (padding, output padding) with which a transposed convolution of stride 2 doubles a map exactly
_DOUBLING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


class InstanceNorm(nn.Module):
    """Zero mean and unit (biased) variance per image and channel; no weights, no running statistics.

    As `nn.InstanceNorm2d`, which would turn a channels-last map into the default format. Statistics are taken in
    float32 at least.

    Raises:
        InputError: the map has a single pixel, which has no variance.
    """

    eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] * x.shape[-1] == 1:
            raise InputError(f"instance norm needs more than one pixel, got a map of shape {tuple(x.shape)}")
        if x.is_contiguous():
            return F.group_norm(x, x.shape[1], eps=self.eps)
        # Two passes: torch's channels-last group norm takes E[x^2] - E[x]^2, off by 1e-3 when the mean is large.
        centred = x.to(torch.promote_types(x.dtype, torch.float32))
        centred = centred - centred.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True)
        return (centred * torch.rsqrt(variance + self.eps)).to(x.dtype)


class ChannelRMSNorm(nn.Module):
    """RMSNorm over the channels of each pixel, with one weight per channel (`norm.weight`), eps 1e-6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


def make_norm(kind: Norm, channels: int) -> nn.Module:
    """Instance norm, or channel RMSNorm."""
    return InstanceNorm() if kind == "instance" else ChannelRMSNorm(channels)


def paired(name: str, widths: Widths, kernels: Widths) -> list[tuple[int, int]]:
    """(width, kernel) per layer; no widths, no layers.

    Raises:
        InputError: the lists differ in length.
    """
    if not widths:
        return []
    if len(widths) != len(kernels or ()):
        raise InputError(f"{name}: {len(widths)} widths {tuple(widths)} but {len(kernels or ())} kernel sizes")
    return list(zip(widths, kernels or (), strict=True))


def last_width(in_channels: int, *stages: Widths) -> int:
    """Width after the stages: the last entry of the last stage that has any."""
    return [in_channels, *(stage[-1] for stage in stages if stage)][-1]


def conv_stack(
    in_channels: int,
    widths: Widths,
    kernels: Widths,
    *,
    name: str = "conv_layers",
    stride: int = 1,
    norm: Norm = "instance",
) -> nn.Sequential:
    """Convolution, norm, SiLU per width; the convolutions have indices 0, 3, 6, ...

    Padding is (k - 1) // 2: odd kernels keep the size, or give ceil(n / 2) at stride 2.

    Raises:
        InputError: `widths` and `kernels` differ in length; `name` says where.
    """
    layers: list[nn.Module] = []
    for width, kernel in paired(name, widths, kernels):
        convolution = nn.Conv2d(in_channels, width, kernel, stride, padding=(kernel - 1) // 2)
        layers += [convolution, make_norm(norm, width), nn.SiLU(inplace=True)]
        in_channels = width
    return nn.Sequential(*layers)


def deconv_stack(in_channels: int, widths: Widths, kernels: Widths, *, name: str = "deconv_layers") -> nn.Sequential:
    """Transposed convolution of stride 2 without bias, instance norm, SiLU per width; each doubles the map.

    Raises:
        InputError: `widths` and `kernels` differ in length, or a kernel is not 2, 3 or 4.
    """
    layers: list[nn.Module] = []
    for width, kernel in paired(name, widths, kernels):
        if kernel not in _DOUBLING:
            raise InputError(f"{name}: kernel size {kernel} cannot double a map, expected 2, 3 or 4")
        padding, output_padding = _DOUBLING[kernel]
        convolution = nn.ConvTranspose2d(in_channels, width, kernel, 2, padding, output_padding, bias=False)
        layers += [convolution, make_norm("instance", width), nn.SiLU(inplace=True)]
        in_channels = width
    return nn.Sequential(*layers)


def shuffle_stack(in_channels: int, widths: Sequence[int], *, norm: Norm = "instance") -> nn.Sequential:
    """Per width: 3x3 convolution to four times the width, pixel shuffle, norm, SiLU; each block doubles the map."""
    blocks: list[nn.Module] = []
    for width in widths:
        convolution = nn.Conv2d(in_channels, 4 * width, 3, padding=1)
        blocks.append(
            nn.Sequential(convolution, nn.PixelShuffle(2), make_norm(norm, width), nn.SiLU(inplace=True)),
        )
        in_channels = width
    return nn.Sequential(*blocks)


PICTURE_CHANNELS = 3


def with_picture(decoded: Tensor, picture: Tensor | None) -> Tensor:
    """The map with the picture's channels behind its own.

    Raises:
        InputError: no picture, or one of another size.
    """
    if picture is None or picture.shape[2:] != decoded.shape[2:]:
        given, (rows, cols) = None if picture is None else tuple(picture.shape), decoded.shape[2:]
        raise InputError(f"this head refines the picture itself: expected (B, 3, {rows}, {cols}), got {given}")
    return torch.cat([decoded, picture.to(decoded.dtype)], 1)


class DeconvDecoder(nn.Module):
    """Transposed convolutions, then refining convolutions; the base of the pose and part heads.

    Attributes:
        width: channels of the decoded map.
        sees_picture: whether the refining convolutions are given the network's input beside the map, which must then be
            as large. No released head is; a small network keeps little of the texture in its features.
    """

    def __init__(
        self,
        in_channels: int,
        deconv_out_channels: Widths,
        deconv_kernel_sizes: Widths,
        conv_out_channels: Widths,
        conv_kernel_sizes: Widths,
        *,
        sees_picture: bool = False,
    ) -> None:
        super().__init__()
        self.sees_picture = sees_picture
        deconv_width = last_width(in_channels, deconv_out_channels) + PICTURE_CHANNELS * sees_picture
        self.deconv_layers = deconv_stack(in_channels, deconv_out_channels, deconv_kernel_sizes)
        self.conv_layers = conv_stack(deconv_width, conv_out_channels, conv_kernel_sizes)
        self.width = last_width(deconv_width, conv_out_channels)

    def decode(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, C, h, w) -> (B, width, h * 2^n, w * 2^n), n transposed convolutions."""
        y = self.deconv_layers(x)
        y = self.conv_layers(with_picture(y, picture) if self.sees_picture else y)
        return cast(Tensor, y)


class ShuffleDecoder(nn.Module):
    """A 3x3 convolution, pixel-shuffle blocks, then refining convolutions; the base of the dense heads.

    Attributes:
        width: channels of the decoded map.
        sees_picture: as in `DeconvDecoder`.
    """

    def __init__(
        self,
        in_channels: int,
        upsample_channels: Sequence[int],
        conv_out_channels: Widths,
        conv_kernel_sizes: Widths,
        *,
        norm: Norm = "instance",
        sees_picture: bool = False,
    ) -> None:
        super().__init__()
        self.sees_picture = sees_picture
        up_width = last_width(in_channels, upsample_channels) + PICTURE_CHANNELS * sees_picture
        self.input_conv = conv_stack(in_channels, [in_channels], [3], norm=norm)
        self.upsample_blocks = shuffle_stack(in_channels, upsample_channels, norm=norm)
        self.conv_layers = conv_stack(up_width, conv_out_channels, conv_kernel_sizes, norm=norm)
        self.width = last_width(up_width, conv_out_channels)

    def decode(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, C, h, w) -> (B, width, h * 2^n, w * 2^n), n upsampling blocks."""
        y = self.upsample_blocks(self.input_conv(x))
        y = self.conv_layers(with_picture(y, picture) if self.sees_picture else y)
        return cast(Tensor, y)
