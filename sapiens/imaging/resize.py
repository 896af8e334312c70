"""Resizing: of pictures with OpenCV, as the released models expect, and of network outputs with torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8

_CPU_BAND = 8 << 20
"""Bytes. Larger bands leave the cache and fault in fresh pages: at 128 MB a third of the speed (29 maps, 2000x1500)."""

Filter = Literal["area", "linear", "cubic"]
_FILTERS: dict[str, int] = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def resize_image(image: ImageU8, size_hw: tuple[int, int], how: Filter) -> ImageU8:
    """Resize a picture with OpenCV: half-pixel centres, edges repeated; only "area" averages when shrinking.

    OpenCV 4 and 5 give the same numbers here.

    Args:
        image: (H, W) or (H, W, C) uint8.
        size_hw: new height and width.
        how: "area" along a direction that grows is OpenCV's own rule for it, close to bilinear.

    Returns:
        uint8 of the new size, the same channels.
    """
    height, width = size_hw
    return np.asarray(cv2.resize(image, (width, height), interpolation=_FILTERS[how]), np.uint8)


def resize_maps(maps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resize network outputs: bilinear, half-pixel centres, no antialias, at their own dtype and device.

    Args:
        maps: (..., C, h, w), floating point.
        size_hw: (H, W).

    Returns:
        (..., C, H, W).
    """
    stack = maps.reshape(-1, *maps.shape[-3:])
    resized = F.interpolate(stack, size=size_hw, mode="bilinear", align_corners=False)
    return resized.reshape(*maps.shape[:-2], *size_hw)


def resize_bands(maps: Tensor, size_hw: tuple[int, int], max_bytes: int) -> Iterator[tuple[slice, Tensor]]:
    """`resize_maps` in bands of rows, for results too large to hold at once.

    The numbers are those of one `resize_maps` call but for float rounding: the columns are resized by the same torch
    kernel, and the rows are mixed with the weights that kernel uses.

    Args:
        maps: (..., C, h, w), floating point.
        size_hw: (H, W).
        max_bytes: what one band may take, in float32; at least one row is made, and on a CPU no more than is fast.

    Yields:
        rows and their values: `slice(top, bottom)` and (..., C, bottom - top, W), from top to bottom without gaps.

    Raises:
        InputError: `size_hw` or `max_bytes` is not positive.
    """
    height, width = size_hw
    if min(height, width, max_bytes) < 1:
        raise InputError(f"resize_bands: expected a positive size and max_bytes, got {size_hw} and {max_bytes}")
    above, below, weight = _row_weights(maps.shape[-2], height, maps.device)
    if maps.device.type == "cpu":
        max_bytes = min(max_bytes, _CPU_BAND)
    # A band also exists at the source's width, before its columns are resized.
    row_bytes = 4 * math.prod(maps.shape[:-2]) * max(width, maps.shape[-1])
    step = max(1, max_bytes // max(1, row_bytes))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        mix = weight[rows, None]
        band = maps[..., above[rows], :].float() * (1 - mix) + maps[..., below[rows], :].float() * mix
        yield rows, resize_maps(band, (band.shape[-2], width)).to(maps.dtype)


def _row_weights(source: int, target: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For every target row: the source rows above and below it, and the weight of the one below."""
    # torch takes the ratio in float32 and rounds ratio * (row + 0.5) - 0.5 once, in a fused multiply-add. At row 1000 a
    # second rounding would already move the weights by 6e-5.
    ratio = torch.tensor(source, dtype=torch.float32) / torch.tensor(target, dtype=torch.float32)
    position = ((torch.arange(target, dtype=torch.float64) + 0.5) * ratio.double() - 0.5).float().clamp(min=0)
    above = position.floor().long().clamp(max=source - 1)
    below = (above + 1).clamp(max=source - 1)
    weight = (position - above).clamp(0, 1)
    return above.to(device), below.to(device), weight.to(device)
