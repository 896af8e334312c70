"""How well numbers follow people: identity switches, MOTA and IDF1 against known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError, require
from sapiens.tracking.tracker import overlaps

Frame = tuple[npt.NDArray[np.floating], npt.NDArray[np.integer]]
"""Boxes (N, 4) xyxy and ids (N,) of one frame."""


@dataclass(frozen=True)
class TrackingScores:
    """Scores of a clip.

    Attributes:
        mota: 1 - (misses + false boxes + switches) / true boxes (Bernardin and Stiefelhagen, 2008).
        idf1: part of the boxes, true and found, that belong to the best one-to-one matching of true and found people
            over the whole clip (Ristani et al., 2016).
        switches: times a person's number is another than when last found.
        misses, false: true boxes not found, boxes found where nobody is.
        boxes: true boxes.
    """

    mota: float
    idf1: float
    switches: int
    misses: int
    false: int
    boxes: int


def score_tracks(truth: Sequence[Frame], found: Sequence[Frame], least_overlap: float = 0.5) -> TrackingScores:
    """Compare found boxes and numbers with the true ones, frame by frame.

    Args:
        truth, found: one entry per frame.
        least_overlap: intersection over union from which a box counts as found.

    Raises:
        InputError: not the same number of frames, or no true box in any.
    """
    if len(truth) != len(found):
        raise InputError(f"{len(truth)} frames of truth, {len(found)} of tracks: expected as many")
    boxes = sum(len(ids) for _, ids in truth)
    if not boxes:
        raise InputError("no true box in any frame: nothing to score")
    last: dict[int, int] = {}
    switches = misses = false = 0
    together: dict[tuple[int, int], int] = {}
    for (true_boxes, true_ids), (boxes_found, ids_found) in zip(truth, found, strict=True):
        overlap = overlaps(true_boxes, boxes_found)
        pairs = _pair(overlap, true_ids, ids_found, last, least_overlap)
        misses += len(true_ids) - len(pairs)
        false += len(ids_found) - len(pairs)
        for true_id, id_found in pairs:
            switches += last.get(true_id, id_found) != id_found
            last[true_id] = id_found
        for row, column in zip(*np.nonzero(overlap >= least_overlap), strict=True):
            key = int(true_ids[row]), int(ids_found[column])
            together[key] = together.get(key, 0) + 1
    total = boxes + sum(len(ids) for _, ids in found)
    return TrackingScores(
        mota=1 - (misses + false + switches) / boxes,
        idf1=2 * _best_matching(together) / total,
        switches=switches,
        misses=misses,
        false=false,
        boxes=boxes,
    )


def _pair(
    overlap: npt.NDArray[np.float64],
    true_ids: npt.NDArray[np.integer],
    ids_found: npt.NDArray[np.integer],
    last: dict[int, int],
    least: float,
) -> list[tuple[int, int]]:
    """True and found ids of one frame; pairs of the last frames stay together while they overlap enough."""
    if not overlap.size:
        return []
    assign = require("scipy.optimize", "video").linear_sum_assignment
    kept = np.array([[last.get(int(t)) == int(f) for f in ids_found] for t in true_ids])
    gain = np.where(overlap >= least, overlap + kept, 0.0)
    rows, columns = assign(gain, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(int(true_ids[r]), int(ids_found[c])) for r, c in pairs if gain[r, c] > 0]


def _best_matching(together: dict[tuple[int, int], int]) -> int:
    true_ids = list(dict.fromkeys(t for t, _ in together))
    found_ids = list(dict.fromkeys(f for _, f in together))
    counts = np.zeros((len(true_ids), len(found_ids)), int)
    for (t, f), count in together.items():
        counts[true_ids.index(t), found_ids.index(f)] = count
    if not counts.size:
        return 0
    rows, columns = require("scipy.optimize", "video").linear_sum_assignment(counts, maximize=True)
    return int(counts[rows, columns].sum())
