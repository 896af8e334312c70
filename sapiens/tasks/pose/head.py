"""Feature map -> one heatmap per keypoint."""

from __future__ import annotations

from torch import Tensor, nn

from sapiens.nn.decoders import DeconvDecoder, Widths
from sapiens.nn.init import init_head_
from sapiens.tasks.pose.config import head_config


class PoseHeatmapHead(DeconvDecoder):
    """Keypoint heatmaps, raw (no activation).

    Args:
        in_channels: width of the feature map.
        out_channels: number of keypoints.
        deconv_out_channels, deconv_kernel_sizes: transposed convolutions, each doubling the map; None: none.
        conv_out_channels, conv_kernel_sizes: refining convolutions; None: none.

    Raises:
        InputError: lists of different length, or a transposed kernel other than 2, 3, 4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        deconv_out_channels: Widths = (256, 256, 256),
        deconv_kernel_sizes: Widths = (4, 4, 4),
        conv_out_channels: Widths = None,
        conv_kernel_sizes: Widths = None,
    ) -> None:
        super().__init__(in_channels, deconv_out_channels, deconv_kernel_sizes, conv_out_channels, conv_kernel_sizes)
        self.conv_pose = nn.Conv2d(self.width, out_channels, 1)
        init_head_(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, out_channels, h * 2^n, w * 2^n), n transposed convolutions."""
        heatmaps: Tensor = self.conv_pose(self.decode(x))
        return heatmaps


def build_head(size: str, in_channels: int) -> PoseHeatmapHead:
    """The head of a size, randomly initialised on the current default device."""
    return PoseHeatmapHead(in_channels, **head_config(size))
