"""What a person looks like, in a few numbers: mean colours of a grid over the middle of the box."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.imaging.frame import ImageU8

ROWS, COLUMNS = 6, 2
INSIDE = 0.5
"""Part of the box's width, in its middle, that is looked at: the rest is mostly background."""


def look_at(image: ImageU8, box_xyxy: npt.NDArray[np.floating]) -> npt.NDArray[np.float32] | None:
    """Colours of a person.

    Args:
        image: (H, W, 3) uint8 RGB.
        box_xyxy: (4,) pixels.

    Returns:
        (36,) float32 in 0..1, or None where the box has no pixels in the picture.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box_xyxy)
    margin = (x2 - x1) * (1 - INSIDE) / 2
    left, right = round(max(x1 + margin, 0)), round(min(x2 - margin, width))
    top, bottom = round(max(y1, 0)), round(min(y2, height))
    if right - left < COLUMNS or bottom - top < ROWS:
        return None
    cells = cv2.resize(image[top:bottom, left:right], (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return (cells.reshape(-1) / np.float32(255)).astype(np.float32)


def unlike(one: npt.NDArray[np.float32] | None, other: npt.NDArray[np.float32] | None) -> float:
    """Root mean square difference of two looks, 0..1; 0 where one is not known."""
    if one is None or other is None:
        return 0.0
    return float(np.sqrt(np.mean((one - other) ** 2)))
