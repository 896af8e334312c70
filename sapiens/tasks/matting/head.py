"""Feature map -> foreground and alpha."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sapiens.nn.decoders import ShuffleDecoder, Widths
from sapiens.nn.init import init_head_
from sapiens.tasks.matting.config import head_config


class MattingHead(ShuffleDecoder):
    """Alpha in 0..1, last channel; with 4 channels premultiplied foreground (R, G, B) in 0..1 before it.

    Args:
        in_channels: width of the feature map.
        upsample_channels: pixel-shuffle blocks, each doubling the map.
        conv_out_channels, conv_kernel_sizes: refining convolutions; None: none.
        out_channels: 4 as released, or 1 for alpha alone.
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
        out_channels: int = 1,
        *,
        sees_picture: bool = False,
    ) -> None:
        super().__init__(
            in_channels, upsample_channels, conv_out_channels, conv_kernel_sizes, sees_picture=sees_picture
        )
        self.conv_matting = nn.Conv2d(self.width, out_channels, 1)
        init_head_(self)

    def forward(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, in_channels, h, w) -> (B, out_channels, h * 2^n, w * 2^n), n upsampling blocks."""
        return torch.sigmoid(self.conv_matting(self.decode(x, picture)))


def build_head(size: str, in_channels: int) -> MattingHead:
    """The head of a size, randomly initialised on the current default device."""
    return MattingHead(in_channels, **head_config(size))
