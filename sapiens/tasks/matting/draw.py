"""Putting a matted person over something else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import ColourRGB, to_picture
from sapiens.imaging.frame import ImageU8

GREEN: ColourRGB = (0, 177, 64)
"""The green screen of the original's pictures."""


def compose(
    foreground: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32], background: ColourRGB | ImageU8
) -> ImageU8:
    """foreground + (1 - alpha) * background, in display encoding (not linear light), truncated as in the original.

    Args:
        foreground: (H, W, 3) float32 RGB in 0..1, premultiplied by alpha.
        alpha: (H, W) float32 in 0..1.
        background: a colour, or (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    behind = np.asarray(background, np.float32) / 255
    return to_picture(foreground + (1 - alpha[..., None]) * behind)
