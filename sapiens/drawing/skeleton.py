"""Skeleton strokes: links as lines, points as discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import ColourRGB
from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Link:
    """A line between two points.

    Attributes:
        start, end: indices of the points.
        colour_rgb: its colour.
    """

    start: int
    end: int
    colour_rgb: ColourRGB


def draw_skeletons(
    image: ImageU8,
    keypoints: Floats,
    scores: Floats,
    *,
    links: Sequence[Link],
    colours_rgb: Sequence[ColourRGB],
    radius: int,
    thickness: int,
    threshold: float,
) -> ImageU8:
    """People in order, each first its links, then its points, in the order of the tables; anti-aliased.

    Coordinates are rounded to whole pixels (halves to even). A point is drawn if its score reaches the threshold and
    the rounded point lies inside the picture; a link if both its ends are. NaN is never drawn.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        keypoints: (N, K, 2) x, y in pixels of the picture.
        scores: (N, K).
        links: between the K points.
        colours_rgb: colour of each of the K points.
        radius: of the discs, in pixels.
        thickness: of the lines, in pixels; at least 1 is drawn.
        threshold: least score drawn.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: shapes that do not belong together, or a negative radius.
    """
    if keypoints.shape != (*scores.shape, 2) or scores.shape[1:] != (len(colours_rgb),):
        raise InputError(
            f"cannot draw keypoints {keypoints.shape} with scores {scores.shape} in {len(colours_rgb)} colours"
        )
    if radius < 0:
        raise InputError(f"radius: expected 0 or more pixels, got {radius}")
    canvas = image.copy()
    height, width = canvas.shape[:2]
    for points, marks in zip(np.rint(keypoints), scores, strict=True):
        x, y = points.T
        shown = (marks >= threshold) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        # What is not shown may be NaN or beyond an integer.
        at = np.where(shown[:, None], points, 0).astype(int).tolist()
        for link in links:
            if shown[link.start] and shown[link.end]:
                cv2.line(canvas, at[link.start], at[link.end], link.colour_rgb, max(1, thickness), cv2.LINE_AA)
        for index in np.flatnonzero(shown).tolist():
            cv2.circle(canvas, at[index], radius, colours_rgb[index], -1, cv2.LINE_AA)
    return canvas
