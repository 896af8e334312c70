"""Feature map -> surface normals."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sapiens.nn.decoders import ShuffleDecoder, Widths
from sapiens.nn.init import init_head_
from sapiens.tasks.normal.config import head_config


class NormalHead(ShuffleDecoder):
    """Surface normals (x, y, z), raw: neither bounded nor of unit length.

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
            in_channels, upsample_channels, conv_out_channels, conv_kernel_sizes, sees_picture=sees_picture
        )
        self.conv_normal = nn.Conv2d(self.width, 3, 1)
        init_head_(self)

    def forward(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, in_channels, h, w) -> (B, 3, h * 2^n, w * 2^n), n upsampling blocks."""
        normals: Tensor = self.conv_normal(self.decode(x, picture))
        return normals


def build_head(size: str, in_channels: int) -> NormalHead:
    """The head of a size, randomly initialised on the current default device."""
    return NormalHead(in_channels, **head_config(size))
