"""Object keypoint similarity, and what is built on it: suppression of people found twice.

Source: the COCO keypoint evaluation; Lin et al., "Microsoft COCO: Common Objects in Context", 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

NMS_THRESHOLD = 0.9
EPS = float(np.spacing(1))

Array = npt.NDArray[np.floating[Any]]
Wide = npt.NDArray[np.float64]


def similarities(found: Array, truth: Array, boxes_xyxy: Array, areas: Array, sigmas: Sequence[float] | Array) -> Wide:
    """OKS of every found person with every true one, (D, G) float64 in 0..1.

    exp(-d^2 / (8 sigma^2 area)), the mean over the true person's labelled points. To a person without one, distances
    count from its box enlarged by its own size on every side, as in COCO; such people are ignored later.

    Args:
        found: (D, K, 2) pixels; NaN is as far as can be.
        truth: (G, K, 3) pixels and visibility, labelled where it is above 0.
        boxes_xyxy, areas: (G, 4) and (G,) of the true people, pixels.
        sigmas: of the K points.
    """
    variances = (2 * np.asarray(sigmas, np.float64)) ** 2
    values = np.zeros((len(found), len(truth)))
    points = np.asarray(found, np.float64)
    for g, (person, box, area) in enumerate(zip(np.asarray(truth, np.float64), boxes_xyxy, areas, strict=True)):
        labelled = person[:, 2] > 0
        if labelled.any():
            offset, counted = points[:, labelled] - person[labelled, :2], labelled
        else:
            low, high = 2 * box[:2] - box[2:], 2 * box[2:] - box[:2]
            offset = np.maximum(0, low - points) + np.maximum(0, points - high)
            counted = np.ones_like(labelled)
        error = np.square(offset).sum(-1) / variances[counted] / (float(area) + EPS) / 2
        values[:, g] = np.exp(-np.where(np.isfinite(error), error, np.inf)).mean(1)
    return values


def extents(keypoints: Array) -> Wide:
    """(N,) float64: area of the upright box around the points (N, K, 2), 0 without a finite one."""
    finite = np.isfinite(keypoints).all(-1, keepdims=True)
    low = np.where(finite, keypoints, np.inf).min(1, initial=np.inf)
    high = np.where(finite, keypoints, -np.inf).max(1, initial=-np.inf)
    sizes: Wide = np.maximum(high.astype(np.float64) - low, 0).prod(-1)
    return sizes


def oks_nms(
    keypoints: Array, scores: Array, sigmas: Sequence[float] | Array, threshold: float = NMS_THRESHOLD
) -> npt.NDArray[np.intp]:
    """Which of the people found in one picture to keep: the best, then the best that is not too similar to a kept one.

    Two found people are compared by all their points and the mean of their `extents`, as in the released evaluation.

    Args:
        keypoints: (N, K, 2) pixels.
        scores: (N,).
        sigmas: of the K points.
        threshold: largest OKS with a kept person.

    Returns:
        indices of those kept, best first.
    """
    variances = (2 * np.asarray(sigmas, np.float64)) ** 2
    sizes, points = extents(keypoints), np.asarray(keypoints, np.float64)
    remaining = np.argsort(-np.asarray(scores), kind="stable")
    kept: list[int] = []
    while remaining.size:
        best, rest = remaining[0], remaining[1:]
        kept.append(int(best))
        area = (sizes[best] + sizes[rest]) / 2 + EPS
        error = np.square(points[rest] - points[best]).sum(-1) / variances / area[:, None] / 2
        similar = np.exp(-np.where(np.isfinite(error), error, np.inf)).mean(-1)
        remaining = rest[similar <= threshold]
    return np.array(kept, np.intp)
