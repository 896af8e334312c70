"""Head settings per size; colours have the input's rows and columns."""

from __future__ import annotations

from typing import Any

from sapiens.backbones.sizes import get_size
from sapiens.weights import files

RELEASED = files.RELEASED["albedo"]

_FULL = {
    "upsample_channels": (768, 512, 256, 128),
    "conv_out_channels": (64, 32, 16),
    "conv_kernel_sizes": (3, 3, 3),
}
_WIDE = {
    "upsample_channels": (1536, 768, 512, 256),
    "conv_out_channels": (64, 32, 16),
    "conv_kernel_sizes": (3, 3, 3),
}
_NANO = {
    "upsample_channels": (24, 16, 12),
    "conv_out_channels": (24, 16),
    "conv_kernel_sizes": (3, 3),
    "sees_picture": True,
}

# The widths of 0.4b to 5b are public though no weights are; 0.1b, 1b-4k and nano follow their neighbours.
# With the 4K backbone the feature map is four times coarser, so colours have a quarter of the input's rows and columns.
HEADS: dict[str, dict[str, Any]] = {"5b": _WIDE, "nano": _NANO}


def head_config(size: str) -> dict[str, Any]:
    """Arguments of `AlbedoHead` besides `in_channels`.

    Raises:
        UnknownNameError: no such size.
    """
    return dict(HEADS.get(get_size(size).name, _FULL))
