"""Normals as colours: red, green, blue are x, y, z."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import fill_outside, to_picture
from sapiens.imaging.frame import ImageU8

BLACK = (0, 0, 0)


def draw_normals(
    normals: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_] | None, background: ImageU8 | None = None
) -> ImageU8:
    """-1..1 as 0..255, truncated as in the original; surfaces that face the viewer look light blue.

    Args:
        normals: (H, W, 3) float32, +x right, +y up, +z to the viewer.
        mask: (H, W) bool, True on the person; None: everywhere.
        background: (H, W, 3) uint8 RGB shown off the person; default black.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return fill_outside(to_picture((normals + 1) / 2), mask, BLACK if background is None else background)
