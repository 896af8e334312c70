"""Head settings per size; logits have the input's rows and columns."""

from __future__ import annotations

from typing import Any

from sapiens.backbones.sizes import get_size
from sapiens.weights import files

RELEASED = files.RELEASED["seg"]
NUM_CLASSES = 29

_FULL = {
    "deconv_out_channels": (512, 256, 128, 64),
    "deconv_kernel_sizes": (4, 4, 4, 4),
    "conv_out_channels": (64, 64),
    "conv_kernel_sizes": (1, 1),
}
_NANO = {
    "deconv_out_channels": (48, 24, 16),
    "deconv_kernel_sizes": (4, 4, 4),
    "conv_out_channels": (24,),
    "conv_kernel_sizes": (3,),
    "sees_picture": True,
}

# 0.1b, 1b-4k and nano were never released and follow their neighbours.
# With the 4K backbone the feature map is four times coarser, so logits have a quarter of the input's rows and columns.
HEADS: dict[str, dict[str, Any]] = {"nano": _NANO}


def head_config(size: str) -> dict[str, Any]:
    """Arguments of `SegHead` besides `in_channels`.

    Raises:
        UnknownNameError: no such size.
    """
    return {"num_classes": NUM_CLASSES, **HEADS.get(get_size(size).name, _FULL)}
