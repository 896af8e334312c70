"""Body parts as colours over the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import blend, paint
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.seg.classes import palette_rgb


def draw_parts(labels: npt.NDArray[np.uint8], image: ImageU8, opacity: float = 0.5) -> ImageU8:
    """Every pixel blended with the colour of its part, the background's dark grey included.

    Args:
        labels: (H, W) uint8.
        image: (H, W, 3) uint8 RGB.
        opacity: 0 shows the picture alone, 1 the colours alone.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return blend(image, paint(labels, palette_rgb()), opacity)
