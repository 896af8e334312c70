"""How well people's keypoints are found, over a set, for all 308 points and for parts of them.

| name | meaning |
|---|---|
| ap, ap_50, ap_75, ap_medium, ap_large, ar, ... | COCO's ten numbers, 0..1; see `average_precision` |
| pck_box, pck_box_10, pck_box_20, auc, nme | see `distances` |
| X_body, X_foot, X_face, X_left_hand, X_right_hand | the same over 17, 6, 238, 20, 20 of the points |
| nme_eyes | mean distance of face points in distances between the outer eye corners, where both are seen |
| people, people_found | true people with a labelled point; the share that a found box overlaps by half or more |

Points count where they are labelled, hidden ones too. For PCK, AUC and NME a found person stands for the true one whose
box it overlaps most: with given boxes, its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Compat, Result
from sapiens.tasks.measuring import SumMetrics, expect
from sapiens.tasks.pose.average_precision import Picture, average_precision
from sapiens.tasks.pose.distances import SUBSETS, add_points, distance_numbers
from sapiens.tasks.pose.keypoints import PARTS, SIGMAS
from sapiens.tasks.pose.oks import extents, oks_nms, similarities
from sapiens.tasks.pose.result import PoseResult, person_scores
from sapiens.tasks.pose.true_people import pair_up, picture_key, true_people

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]


class Metrics(SumMetrics):
    """Precision of found people and distances of their points; see the table above.

    All found and true people are kept until `compute`, 7 kB each: a record may be one of several people of a picture,
    and precision is about pictures. Records with the same extra "image_id" and the same pixels are one picture.
    compat="reference" changes nothing here: precision is that of the original in either mode. (Its PCK, a training
    figure, is of heatmap cells with the axes exchanged; see `sapiens.tasks.pose.loss.heatmap_pck`.)
    """

    def __init__(self, compat: Compat = "default") -> None:
        super().__init__(compat)
        self._rows: dict[str, list[Array]] = {}

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its own share of points within 5 % of the box, NaN if none is labelled.

        Raises:
            InputError: no "keypoints" or box, arrays of other shapes, or NaN.
        """
        found, people = expect(result, PoseResult, sample), true_people(sample)
        partner = pair_up(found.boxes_xyxy, people.boxes_xyxy)
        score = add_points(self.sums, found.keypoints, people, partner)
        there = people.labelled.any(1)
        self.sums.tally(people=there.sum(), people_found=(there & (partner >= 0)).sum())
        key = picture_key(sample)
        self._keep(
            found_picture=np.full(len(found), key),
            found_points=found.keypoints,
            found_boxes=found.boxes_xyxy,
            found_scores=person_scores(found.box_scores, found.scores),
            true_picture=np.full(len(people.areas), key),
            true_points=people.keypoints,
            true_boxes=people.boxes_xyxy,
            true_areas=people.areas,
            true_crowd=people.crowd,
        )
        return score

    def _keep(self, **rows: Array) -> None:
        for name, values in rows.items():
            self._rows.setdefault(name, []).append(values)

    def state(self) -> dict[str, Array]:
        """The sums, and everybody found and true as "rows/NAME"."""
        return {**super().state(), **{f"rows/{name}": np.concatenate(parts) for name, parts in self._rows.items()}}

    def merge(self, state: Mapping[str, Array]) -> None:
        """Add another process's sums and people."""
        super().merge({name: values for name, values in state.items() if not name.startswith("rows/")})
        self._keep(**{n.removeprefix("rows/"): values for n, values in state.items() if n.startswith("rows/")})

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN for what no labelled point tells."""
        numbers: dict[str, float] = {}
        rows = {name: np.concatenate(parts) for name, parts in self._rows.items()}
        for suffix, points in SUBSETS.items():
            of_subset = {**precision_of(rows, points), **distance_numbers(self.sums, suffix)}
            numbers |= {f"{name}{suffix}": value for name, value in of_subset.items()}
        return {
            **numbers,
            "nme_eyes": self.sums.mean("eyes", "eyes_points"),
            "people": float(self.sums.count("people")),
            "people_found": self.sums.share("people_found", "people"),
        }


def precision_of(rows: Mapping[str, Array], points: Sequence[int]) -> dict[str, float]:
    """COCO's ten numbers over some of the points.

    In a picture, people found with the very same box are one, and `oks_nms` at 0.9 drops near copies. The area of a
    found person is the extent of its 17 body points, for every subset, as in the released evaluation.

    Args:
        rows: found_picture (D,) text, found_points (D, 308, 2), found_boxes (D, 4), found_scores (D,); true_picture
            (G,) text, true_points (G, 308, 3), true_boxes (G, 4), true_areas (G,), true_crowd (G,).
        points: which.
    """
    if not rows:
        return average_precision([])
    true_in, found_in = _by_picture(rows["true_picture"]), _by_picture(rows["found_picture"])
    nobody = np.empty(0, np.intp)
    keys = sorted(true_in.keys() | found_in.keys())
    return average_precision(
        [_picture(rows, found_in.get(key, nobody), true_in.get(key, nobody), list(points)) for key in keys]
    )


def _by_picture(keys: Array) -> dict[str, Indices]:
    """Rows of each picture."""
    order = np.argsort(keys, kind="stable")
    names, first = np.unique(keys[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, first[1:]), strict=True)) if len(names) else {}


def _picture(rows: Mapping[str, Array], found: Indices, true: Indices, points: list[int]) -> Picture:
    found = _found_once(rows, found)
    keypoints, areas = rows["true_points"][true][:, points], rows["true_areas"][true]
    crowd = rows["true_crowd"][true].astype(bool)
    boxes, sigmas = rows["true_boxes"][true].astype(np.float64), np.asarray(SIGMAS)[points]
    return Picture(
        scores=rows["found_scores"][found],
        found_areas=extents(rows["found_points"][found][:, list(PARTS["body"])]),
        similar=similarities(rows["found_points"][found][:, points], keypoints, boxes, areas, sigmas),
        areas=areas,
        ignored=crowd | ~(keypoints[..., 2] > 0).any(1),
        crowd=crowd,
    )


def _found_once(rows: Mapping[str, Array], found: Indices) -> Indices:
    """The found people of a picture without copies, best first; their order does not come from that of the records."""
    if not len(found):
        return found
    _, first = np.unique(rows["found_boxes"][found], axis=0, return_index=True)
    found = found[first]
    return found[oks_nms(rows["found_points"][found], rows["found_scores"][found], SIGMAS)]
