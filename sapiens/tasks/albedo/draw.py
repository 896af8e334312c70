"""Albedo as the picture it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import fill_outside, to_picture
from sapiens.imaging.frame import ImageU8

GREY = (100, 100, 100)


def draw_albedo(
    albedo: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_] | None, background: ImageU8 | None = None
) -> ImageU8:
    """0..1 as 0..255, truncated as in the original.

    Args:
        albedo: (H, W, 3) float32 RGB in 0..1.
        mask: (H, W) bool, True on the person; None: everywhere.
        background: (H, W, 3) uint8 RGB shown off the person; default grey.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return fill_outside(to_picture(albedo), mask, GREY if background is None else background)
