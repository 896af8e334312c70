"""Head settings per size; points have the input's rows and columns."""

from __future__ import annotations

from typing import Any

from sapiens.backbones.sizes import get_size
from sapiens.weights import files

RELEASED = files.RELEASED["pointmap"]
CANONICAL_FOCAL_PX = 768.0
"""Focal length of the camera in whose units points are predicted: metres = points / scale, fx = this / scale."""
NANO_FOCAL_PX = 96.0
"""That of nano, whose input is an eighth as wide: scales and canonical points then are of the released models' size."""

# Three halvings of the 64x48 grid leave 8x6 pixels of 128 channels.
_SCALE = {
    "scale_conv_out_channels": (1536, 512, 128),
    "scale_conv_kernel_sizes": (1, 1, 1),
    "scale_final_layer": (6144, 512, 128, 1),
}
_FULL = {
    "upsample_channels": (1536, 768, 512, 256),
    "conv_out_channels": (64, 32, 16),
    "conv_kernel_sizes": (3, 3, 3),
    **_SCALE,
}
_WIDE = {
    "upsample_channels": (1536, 768, 768, 768),
    "conv_out_channels": (128, 64, 32),
    "conv_kernel_sizes": (3, 3, 3),
    **_SCALE,
}
# Two halvings of nano's 16x12 grid leave 4x3 pixels of 32 channels.
_NANO = {
    "upsample_channels": (24, 16, 12),
    "conv_out_channels": None,
    "conv_kernel_sizes": None,
    "scale_conv_out_channels": (96, 32),
    "scale_conv_kernel_sizes": (1, 1),
    "scale_final_layer": (384, 64, 32, 1),
}

# 0.1b, 1b-4k and nano were never released and follow their neighbours.
# With the 4K backbone the grid is 64x48 as well, so points have a quarter of the input's rows and columns.
HEADS: dict[str, dict[str, Any]] = {"5b": _WIDE, "nano": _NANO}


def head_config(size: str) -> dict[str, Any]:
    """Arguments of `PointmapHead` besides `in_channels`.

    Raises:
        UnknownNameError: no such size.
    """
    return dict(HEADS.get(get_size(size).name, _FULL))
