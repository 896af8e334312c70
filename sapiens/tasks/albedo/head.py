"""Feature map -> albedo."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sapiens.nn.decoders import ShuffleDecoder, Widths
from sapiens.nn.init import init_head_
from sapiens.tasks.albedo.config import head_config


class AlbedoHead(ShuffleDecoder):
    """Albedo (R, G, B), raw: not yet clamped to 0..1. Its norms are RMSNorms over channels and have weights.

    Args:
        in_channels: width of the feature map.
        upsample_channels: pixel-shuffle blocks, each doubling the map.
        conv_out_channels, conv_kernel_sizes: refining convolutions; None: none.
        channels: accepted and unused; released configurations pass it.
        sees_picture: the refining convolutions are given the network's input too; no released head is.

    Raises:
        InputError: lists of different length.
    """

    def __init__(
        self,
        in_channels: int = 768,
        upsample_channels: Sequence[int] = (768, 384, 192, 96),
        conv_out_channels: Widths = None,
        conv_kernel_sizes: Widths = None,
        channels: int = 16,
        *,
        sees_picture: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            upsample_channels,
            conv_out_channels,
            conv_kernel_sizes,
            norm="channel",
            sees_picture=sees_picture,
        )
        self.conv_albedo = nn.Conv2d(self.width, 3, 1)
        init_head_(self)

    def forward(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, in_channels, h, w) -> (B, 3, h * 2^n, w * 2^n), n upsampling blocks."""
        albedo: Tensor = self.conv_albedo(self.decode(x, picture))
        return albedo


def build_head(size: str, in_channels: int) -> AlbedoHead:
    """The head of a size, randomly initialised on the current default device."""
    return AlbedoHead(in_channels, **head_config(size))
