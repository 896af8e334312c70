"""Keypoints as a skeleton over the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.drawing.skeleton import draw_skeletons
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.pose.keypoints import KEYPOINTS, LINKS

Floats = npt.NDArray[np.floating[Any]]

REFERENCE_RADIUS, REFERENCE_THICKNESS = 3, 1
"""What the original draws, whatever the picture's size."""

_COLOURS_RGB = tuple(point.colour_rgb for point in KEYPOINTS)


def stroke_sizes(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Radius of points and thickness of links, in pixels, that suit a picture; 3 and 2 at 1024x768."""
    longest = max(size_hw)
    return max(1, round(longest / 340)), max(1, round(longest / 512))


def draw_people(
    image: ImageU8, keypoints: Floats, scores: Floats, *, radius: int, thickness: int, threshold: float
) -> ImageU8:
    """All people of a picture: links (body, feet, hands), then points; neither boxes nor names.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        keypoints: (N, 308, 2) x, y in pixels of the picture.
        scores: (N, 308).
        radius, thickness: of points and links, in pixels.
        threshold: least score drawn; a link needs it at both ends.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return draw_skeletons(
        image,
        keypoints,
        scores,
        links=LINKS,
        colours_rgb=_COLOURS_RGB,
        radius=radius,
        thickness=thickness,
        threshold=threshold,
    )
