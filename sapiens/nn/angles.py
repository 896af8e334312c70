"""Angles between predicted and true directions, summed over pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.nn.sums import Sums, ratio

SHORTEST = 1e-6
"""Lengths below this are taken as this."""
BINS_PER_DEG = 100
"""Of the histogram that the median is read from."""
REFERENCE_BIN_DEG = 0.5
THRESHOLDS_DEG = (5.0, 7.5, 11.25, 22.5, 30.0)

Vectors = npt.NDArray[np.floating[Any]]


def unit(vectors: Vectors) -> npt.NDArray[np.float64]:
    """(..., 3) divided by their lengths, at least 1e-6."""
    wide = np.asarray(vectors, np.float64)
    scaled: npt.NDArray[np.float64] = wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), SHORTEST)
    return scaled


def angles_deg(pred: Vectors, target: Vectors) -> npt.NDArray[np.float64]:
    """Angles in degrees, (N,), between directions (N, 3) of any length; acos(clamp(dot, -1, 1))."""
    cosine = (unit(pred) * unit(target)).sum(-1)
    degrees: npt.NDArray[np.float64] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return degrees


def add_angles(sums: Sums, angles: npt.NDArray[np.float64]) -> None:
    """Add the angles (N,) of a picture, in degrees."""
    bins = np.minimum((angles * BINS_PER_DEG).astype(np.int64), 180 * BINS_PER_DEG - 1)
    sums.add(angle=float(angles.sum()), angle_square=float(np.square(angles).sum()))
    sums.tally(
        angles=len(angles),
        angle_bins=np.bincount(bins, minlength=180 * BINS_PER_DEG),
        angle_below=[int((angles < limit).sum()) for limit in THRESHOLDS_DEG],
    )


def angle_numbers(sums: Sums, *, reference: bool = False) -> dict[str, float]:
    """mean_deg, median_deg, rmse_deg and percent_below_X_deg of all angles added; NaN if there are none.

    Args:
        sums: what `add_angles` filled.
        reference: the median is the centre of the 0.5 degree bin that holds it, as the original gives it; otherwise it
            is exact to 0.01 degrees.
    """
    count = sums.count("angles")
    below = np.broadcast_to(sums.counts("angle_below"), len(THRESHOLDS_DEG)).tolist()
    return {
        "mean_deg": sums.mean("angle", "angles"),
        "median_deg": _median(sums, reference) if count else math.nan,
        "rmse_deg": math.sqrt(sums.mean("angle_square", "angles")),
        **{
            f"percent_below_{limit:g}_deg": 100 * ratio(number, count)
            for limit, number in zip(THRESHOLDS_DEG, below, strict=True)
        },
    }


def _median(sums: Sums, reference: bool) -> float:
    reached = np.cumsum(sums.counts("angle_bins"))
    half = sums.count("angles") / 2
    place = int(np.searchsorted(reached, half))
    if reference:
        return (place // round(REFERENCE_BIN_DEG * BINS_PER_DEG) + 0.5) * REFERENCE_BIN_DEG
    before = int(reached[place - 1]) if place else 0
    return (place + (half - before) / (int(reached[place]) - before)) / BINS_PER_DEG
