"""Depth as colours, and the normals that depth implies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.drawing.colormap import turbo
from sapiens.drawing.palette import to_picture
from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8

if TYPE_CHECKING:
    from sapiens.tasks.pointmap.result import PointmapResult

Bounds = tuple[float, float]
"""Nearest and farthest depth, in the unit of the points."""

GREY = (100, 100, 100)
NEAREST, FARTHEST = 1 / 10, 250.0
"""No scale of colours reaches beyond these depths."""
TINY = 1e-6

Depth = npt.NDArray[np.float16]
Mask = npt.NDArray[np.bool_]


def depth_bounds(results: Iterable[PointmapResult]) -> Bounds:
    """Common bounds for the colours of several pictures, so that a colour means the same depth in all of them.

    Returns:
        the smallest 1st and the largest 99th percentile of the foreground's depth over all pictures; NaN where no
        picture has any foreground.
    """
    ends = []
    for result in results:
        depth = result.depth_m[result.foreground()]
        depth = depth[np.isfinite(depth)]
        if depth.size:
            ends.append(np.percentile(depth, [1, 99]))
    if not ends:
        return float("nan"), float("nan")
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def draw_depth(depth: Depth, foreground: Mask, bounds: Bounds, background: ImageU8 | None = None) -> ImageU8:
    """Inverse depth in turbo colours: near is red, far is blue.

    Args:
        depth: (H, W) float16, as the original stores it and draws from.
        foreground: (H, W) bool; elsewhere, and where depth is not finite, the background shows.
        bounds: nearest and farthest depth.
        background: (H, W, 3) uint8 RGB; default grey.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    shown = foreground & np.isfinite(depth)
    picture = _backdrop(depth.shape, background)
    if shown.any():
        low, high = _checked(bounds)
        nearness = 1 / np.maximum(depth[shown].astype(np.float32), TINY)
        first = max(1 / FARTHEST, 1 / max(high, TINY))
        last = min(1 / max(low, TINY), 1 / NEAREST)
        picture[shown] = turbo((nearness - first) / ((last - first) or 1))
    return picture


def draw_depth_normals(depth: Depth, foreground: Mask, bounds: Bounds, background: ImageU8 | None = None) -> ImageU8:
    """Normals of the surface that depth spans over the picture plane, by 7x7 Sobel derivatives of depth within bounds.

    They know nothing of the camera: a picture to judge depth by, not a measurement.

    Args and returns: as `draw_depth`. Pixels nearer than half a window to the background have no derivative and show
    the background.
    """
    shown = foreground & np.isfinite(depth)
    picture = _backdrop(depth.shape, background)
    if not shown.any():
        return picture
    low, high = _checked(bounds)
    nearness = (1 - (depth.astype(np.float32) - low) / ((high - low) or 1)).astype(np.float32)
    nearness[~shown] = np.nan
    dx, dy = (cv2.Sobel(nearness, cv2.CV_32F, *order, ksize=7) for order in ((1, 0), (0, 1)))
    normals = np.stack([-dx, -dy, np.full_like(dx, -1)], axis=-1)
    normals = normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-5)
    shown &= np.isfinite(normals).all(-1)
    picture[shown] = to_picture((normals[shown] + 1) / 2)
    return picture


def _backdrop(size_hw: tuple[int, ...], background: ImageU8 | None) -> ImageU8:
    return np.full((*size_hw, 3), GREY, np.uint8) if background is None else background.copy()


def _checked(bounds: Bounds) -> Bounds:
    low, high = bounds
    if not low <= high:
        raise InputError(f"bounds: expected nearest and farthest depth, got {low} and {high}")
    return low, high
