"""Average precision and recall of people by their keypoints, by the protocol of COCO, for any number of points.

Source: the COCO keypoint evaluation (cocodataset.org): OKS thresholds 0.50 to 0.95 in steps of 0.05, 101 recall points,
at most 20 people a picture; people of all, medium (32^2 to 96^2 pixels) and large areas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_PEOPLE = 20
AREAS = {"": (0.0, 1e10), "_medium": (32.0**2, 96.0**2), "_large": (96.0**2, 1e10)}
EPS = float(np.spacing(1))

Wide = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Picture:
    """The people of one picture, compared.

    Attributes:
        scores: (D,) of the found people.
        found_areas: (D,) pixels; decides whether one that fits nobody counts for a range of areas.
        similar: (D, G) OKS.
        areas: (G,) pixels, of the true people.
        ignored: (G,) bool: finding such a person is neither right nor wrong.
        crowd: (G,) bool: may be found more than once.
    """

    scores: npt.NDArray[np.floating[Any]]
    found_areas: Wide
    similar: Wide
    areas: Wide
    ignored: Flags
    crowd: Flags


def average_precision(pictures: Sequence[Picture]) -> dict[str, float]:
    """COCO's ten numbers: ap, ap_50, ap_75, ap_medium, ap_large and the same five of ar; NaN where nobody counts.

    The order of the pictures decides only between people of equal scores.
    """
    numbers: dict[str, float] = {}
    recalls: dict[str, float] = {}
    for name, limits in AREAS.items():
        precision, recall = _curves(pictures, limits)
        numbers[f"ap{name}"], recalls[f"ar{name}"] = float(precision.mean()), float(recall.mean())
        if not name:
            for place, text in ((0, "_50"), (5, "_75")):
                numbers[f"ap{text}"], recalls[f"ar{text}"] = float(precision[place].mean()), float(recall[place])
    return {**numbers, **recalls}


def _curves(pictures: Sequence[Picture], limits: tuple[float, float]) -> tuple[Wide, Wide]:
    """Precision (10, 101) at the recall points and the largest recall (10,), by threshold."""
    matched = [_match(picture, limits) for picture in pictures]
    wanted = sum(count for *_, count in matched)
    if wanted == 0:
        return np.full((len(THRESHOLDS), len(RECALLS)), math.nan), np.full(len(THRESHOLDS), math.nan)
    scores = np.concatenate([scores for scores, *_ in matched])
    order = np.argsort(-scores, kind="stable")
    hit = np.concatenate([hits for _, hits, *_ in matched], 1)[:, order]
    skipped = np.concatenate([skips for _, _, skips, _ in matched], 1)[:, order]
    right, wrong = np.cumsum(hit & ~skipped, 1), np.cumsum(~hit & ~skipped, 1)
    precision, recall = np.zeros((len(THRESHOLDS), len(RECALLS))), np.zeros(len(THRESHOLDS))
    for t, (good, bad) in enumerate(zip(right.astype(float), wrong.astype(float), strict=True)):
        reached = good / wanted
        # The best precision at this recall or a higher one.
        best = np.maximum.accumulate((good / (good + bad + EPS))[::-1])[::-1]
        places = np.searchsorted(reached, RECALLS, side="left")
        precision[t] = np.append(best, 0.0)[places]
        recall[t] = reached[-1] if reached.size else 0.0
    return precision, recall


def _match(picture: Picture, limits: tuple[float, float]) -> tuple[Wide, Flags, Flags, int]:
    """Scores (D,), who is matched (10, D), who does not count (10, D), and how many people are to be found."""
    low, high = limits
    best = np.argsort(-picture.scores, kind="stable")[:MOST_PEOPLE]
    ignored = picture.ignored | (picture.areas < low) | (picture.areas > high)
    # People that count come first: one that could be either is matched with them.
    order = np.argsort(ignored, kind="stable")
    similar, ignored, crowd = picture.similar[np.ix_(best, order)], ignored[order], picture.crowd[order]
    hit, skipped = np.zeros((2, len(THRESHOLDS), len(best)), bool)
    for t, threshold in enumerate(THRESHOLDS):
        taken = np.zeros(len(order), bool)
        for d in range(len(best)):
            chosen = _choose(similar[d], ignored, taken & ~crowd, min(float(threshold), 1 - 1e-10))
            if chosen >= 0:
                hit[t, d], skipped[t, d], taken[chosen] = True, ignored[chosen], True
    areas = picture.found_areas[best]
    skipped |= ~hit & ((areas < low) | (areas > high))
    return picture.scores[best].astype(np.float64), hit, skipped, int((~ignored).sum())


def _choose(similar: Wide, ignored: Flags, gone: Flags, least: float) -> int:
    """The most similar person not gone, one that counts before one that is ignored, the last of equals; or -1."""
    chosen = -1
    for g in range(len(similar)):
        if gone[g]:
            continue
        if chosen >= 0 and not ignored[chosen] and ignored[g]:
            break
        if similar[g] >= least:
            least, chosen = float(similar[g]), g
    return chosen
