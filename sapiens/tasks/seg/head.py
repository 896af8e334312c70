"""Feature map -> one logit per class and pixel."""

from __future__ import annotations

from torch import Tensor, nn

from sapiens.nn.decoders import DeconvDecoder, Widths
from sapiens.nn.init import init_head_
from sapiens.tasks.seg.config import NUM_CLASSES, head_config


class SegHead(DeconvDecoder):
    """Class logits, raw (no softmax).

    Args:
        in_channels: width of the feature map.
        deconv_out_channels, deconv_kernel_sizes: transposed convolutions, each doubling the map; None: none.
        conv_out_channels, conv_kernel_sizes: refining convolutions; None: none.
        num_classes: background included.
        sees_picture: the refining convolutions are given the network's input too; no released head is.

    Raises:
        InputError: lists of different length, or a transposed kernel other than 2, 3, 4.
    """

    def __init__(
        self,
        in_channels: int,
        deconv_out_channels: Widths = (256, 256, 256),
        deconv_kernel_sizes: Widths = (4, 4, 4),
        conv_out_channels: Widths = None,
        conv_kernel_sizes: Widths = None,
        num_classes: int = NUM_CLASSES,
        *,
        sees_picture: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            deconv_out_channels,
            deconv_kernel_sizes,
            conv_out_channels,
            conv_kernel_sizes,
            sees_picture=sees_picture,
        )
        self.conv_seg = nn.Conv2d(self.width, num_classes, 1)
        init_head_(self, transposed=False)

    def forward(self, x: Tensor, picture: Tensor | None = None) -> Tensor:
        """(B, in_channels, h, w) -> (B, num_classes, h * 2^n, w * 2^n), n transposed convolutions."""
        logits: Tensor = self.conv_seg(self.decode(x, picture))
        return logits


def build_head(size: str, in_channels: int) -> SegHead:
    """The head of a size, randomly initialised on the current default device."""
    return SegHead(in_channels, **head_config(size))
