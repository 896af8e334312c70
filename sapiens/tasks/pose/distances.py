"""Distances of found points from the true ones, in sizes of the person's box: PCK, AUC and NME.

| name | meaning |
|---|---|
| pck_box, pck_box_10, pck_box_20 | share of labelled points nearer than 5, 10, 20 % of the box's longer side |
| auc | area below that share for 0 to 10 %, as a share of the largest possible |
| nme | mean distance in longer sides of the box, over the points of people that were found |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.nn.sums import Sums, ratio
from sapiens.tasks.pose.keypoints import NAMES, PARTS, keypoint_index
from sapiens.tasks.pose.true_people import TruePeople

SUBSETS: dict[str, tuple[int, ...]] = {
    "": tuple(range(len(NAMES))),
    **{f"_{part}": PARTS[part] for part in ("body", "foot", "face", "left_hand", "right_hand")},
}
"""Points by the suffix that their numbers carry."""
PCK_SHARES = {"pck_box": 0.05, "pck_box_10": 0.1, "pck_box_20": 0.2}
AUC_SHARE = 0.1
EYE_CORNERS = tuple(keypoint_index(f"{side}_outer_end_of_upper_lash_line") for side in "rl")
SEEN = 2

Wide = npt.NDArray[np.float64]


def add_points(sums: Sums, found: npt.NDArray[Any], people: TruePeople, partner: Sequence[int] | Any) -> float:
    """Add the distances of a picture's labelled points; returns the share of them within 5 % of the box.

    Args:
        sums: where to.
        found: (D, 308, 2) pixels; NaN is as far as can be.
        people: the true ones.
        partner: (G,) index into `found`, or -1; points of a person nobody stands for are wrong.
    """
    near = 0
    for person, box, d in zip(people.keypoints, people.boxes_xyxy.astype(np.float64), partner, strict=True):
        pixels = np.full(len(person), math.inf)
        if d >= 0:
            offset = np.asarray(found[d], np.float64) - person[:, :2]
            pixels = np.where(np.isfinite(offset).all(1), np.hypot(offset[:, 0], offset[:, 1]), math.inf)
            _add_eyes(sums, pixels, person)
        distance = pixels / max(float((box[2:] - box[:2]).max()), 1e-9)
        labelled = person[:, 2] > 0
        counts = {
            suffix: _add_subset(sums, suffix, distance[list(ids)][labelled[list(ids)]])
            for suffix, ids in SUBSETS.items()
        }
        near += counts[""]
    return ratio(near, int(people.labelled.sum()))


def distance_numbers(sums: Sums, suffix: str) -> dict[str, float]:
    """The numbers of the table for a subset, without its suffix; NaN if it has no labelled point."""
    points = f"points{suffix}"
    within = np.broadcast_to(sums.counts(f"within{suffix}"), len(PCK_SHARES)).tolist()
    return {
        **{name: ratio(n, sums.count(points)) for name, n in zip(PCK_SHARES, within, strict=True)},
        "auc": sums.mean(f"area{suffix}", points),
        "nme": sums.mean(f"distance{suffix}", f"found{suffix}"),
    }


def _add_subset(sums: Sums, suffix: str, distance: Wide) -> int:
    """Add the distances of a subset's labelled points; returns how many are within 5 %."""
    found = distance[np.isfinite(distance)]
    within = [int((distance < share).sum()) for share in PCK_SHARES.values()]
    sums.add(**{f"distance{suffix}": float(found.sum())})
    sums.add(**{f"area{suffix}": float(np.maximum(0, 1 - found / AUC_SHARE).sum())})
    sums.tally(**{f"points{suffix}": len(distance)})
    sums.tally(**{f"found{suffix}": len(found)})
    sums.tally(**{f"within{suffix}": within})
    return within[0]


def _add_eyes(sums: Sums, pixels: Wide, person: npt.NDArray[Any]) -> None:
    """Distances of the face's points in distances between the outer eye corners."""
    right, left = person[list(EYE_CORNERS)]
    apart = float(np.hypot(*(right[:2] - left[:2])))
    if min(right[2], left[2]) < SEEN or apart < 1:
        return
    face = list(PARTS["face"])
    counted = pixels[face][(person[face, 2] > 0) & np.isfinite(pixels[face])]
    sums.add(eyes=float(counted.sum()) / apart)
    sums.tally(eyes_points=len(counted))
