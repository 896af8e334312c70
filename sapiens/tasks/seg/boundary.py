"""How well the outlines of predicted parts follow the true ones.

Source: Csurka, Larlus, Perronnin, "What is a good evaluation measure for semantic segmentation?", 2013.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.tasks.seg.classes import IGNORE_INDEX

TOLERANCE = 0.0075
"""Farthest distance between outlines that agree, in picture diagonals; at least one pixel."""

Labels = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]


def boundary_scores(pred: Labels, label: Labels) -> dict[int, float]:
    """F-score of every class in the label or the prediction, by class.

    Precision is the share of the predicted outline that lies within the tolerance of the true one, recall the share of
    the true outline that lies within it of the predicted one. A class without an outline in either (it fills the
    picture) is left out; one that has it in one of them alone scores 0.

    Args:
        pred: (H, W) classes.
        label: (H, W) classes; where it is 255 nothing counts, nor does an edge towards it.
    """
    known = label != IGNORE_INDEX
    reach = max(1, round(TOLERANCE * math.hypot(*label.shape)))
    scores = {}
    for index in np.union1d(label[known], pred[known]).tolist():
        mine, true = known & (pred == index), known & (label == index)
        window = _around(mine | true, reach + 1)
        drawn, wanted = (outline(part[window], known[window]) for part in (mine, true))
        if drawn.any() or wanted.any():
            scores[int(index)] = _f_score(drawn, wanted, reach)
    return scores


def outline(part: Mask, known: Mask) -> Mask:
    """The pixels of a part with a known neighbour, of four, that does not belong to it."""
    edge = np.zeros(part.shape, bool)
    for axis in (0, 1):
        count = part.shape[axis]
        low, high = (slice(0, count - 1), slice(1, count))
        first, second = (
            ((low, slice(None)), (high, slice(None))) if axis == 0 else ((slice(None), low), (slice(None), high))
        )
        edge[first] |= part[first] & ~part[second] & known[second]
        edge[second] |= part[second] & ~part[first] & known[first]
    return edge


def _f_score(pred: Mask, true: Mask, reach: int) -> float:
    if not (pred.any() and true.any()):
        return 0.0
    precision = float((_distance(true)[pred] <= reach).mean())
    recall = float((_distance(pred)[true] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _distance(edge: Mask) -> npt.NDArray[np.float32]:
    """Pixels to the nearest pixel of an outline."""
    return np.asarray(cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def _around(part: Mask, margin: int) -> tuple[slice, slice]:
    """The window that holds a part and what may be compared with it."""
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
