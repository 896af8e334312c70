"""Head settings per size; heatmaps have a quarter of the input's rows and columns."""

from __future__ import annotations

from typing import Any

from sapiens.backbones.sizes import get_size
from sapiens.weights import files

RELEASED = files.RELEASED["pose"]
KEYPOINTS = 308

_KERNELS = {"deconv_kernel_sizes": (4, 4), "conv_kernel_sizes": (1, 1, 1)}
_SMALL = {"deconv_out_channels": (1024, 768), "conv_out_channels": (512, 512, 256), **_KERNELS}
_WIDE = {"deconv_out_channels": (1536, 1024), "conv_out_channels": (768, 512, 256), **_KERNELS}
_NANO = {
    "deconv_out_channels": (64,),
    "deconv_kernel_sizes": (4,),
    "conv_out_channels": (64,),
    "conv_kernel_sizes": (1,),
}

# The released 5b has the small head. 0.1b, 1b-4k and nano were never released and follow their neighbours.
# With the 4K backbone the feature map is four times coarser, so heatmaps are a sixteenth of the input.
HEADS: dict[str, dict[str, Any]] = {"1b": _WIDE, "1b-4k": _WIDE, "nano": _NANO}


def head_config(size: str) -> dict[str, Any]:
    """Arguments of `PoseHeatmapHead` besides `in_channels`.

    Raises:
        UnknownNameError: no such size.
    """
    return {"out_channels": KEYPOINTS, **HEADS.get(get_size(size).name, _SMALL)}
