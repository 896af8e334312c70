"""Head settings per size; mattes have the input's rows and columns."""

from __future__ import annotations

from typing import Any

from sapiens.backbones.sizes import get_size
from sapiens.weights import files

RELEASED = files.RELEASED["matting"]
OUT_CHANNELS = 4
"""Premultiplied foreground (R, G, B), then alpha."""

_FULL = {
    "upsample_channels": (768, 512, 256, 128),
    "conv_out_channels": (64, 32, 16),
    "conv_kernel_sizes": (3, 3, 3),
}
_WIDE = {
    "upsample_channels": (1536, 768, 512, 256),
    "conv_out_channels": (128, 64, 32),
    "conv_kernel_sizes": (3, 3, 3),
}
_NANO = {
    "upsample_channels": (24, 16, 12),
    "conv_out_channels": (16,),
    "conv_kernel_sizes": (3,),
    "sees_picture": True,
}

# Only 1b was released; the others follow the normal heads of their size.
# With the 4K backbone the feature map is four times coarser, so mattes have a quarter of the input's rows and columns.
HEADS: dict[str, dict[str, Any]] = {"5b": _WIDE, "nano": _NANO}


def head_config(size: str) -> dict[str, Any]:
    """Arguments of `MattingHead` besides `in_channels`.

    Raises:
        UnknownNameError: no such size.
    """
    return {"out_channels": OUT_CHANNELS, **HEADS.get(get_size(size).name, _FULL)}
