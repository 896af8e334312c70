"""Files other programs read: COCO results, OpenPose JSON, and the original's predictions file.

All functions take results and return what `json.dumps` takes; the `write_*` functions write it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.imaging.write import write_bytes
from sapiens.tasks.pose.keypoints import NAMES
from sapiens.tasks.pose.result import PoseResult, person_scores
from sapiens.tasks.pose.sets import KeypointSet

PREDICTIONS_SUFFIX = "_predictions.json"
KEYPOINT_THRESHOLD = 0.3


def coco_results(
    results: Sequence[PoseResult], layout: str = "coco17", image_ids: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """A COCO list of keypoint results, one entry per person; `pycocotools` loads it for 17 points.

    "keypoints" holds x, y, score of every point; points without a counterpart in the layout are 0, 0, 0. "score" is the
    box score times the mean of the layout's keypoint scores above 0.2. "bbox" is x, y, width, height.

    Args:
        results: in any order.
        layout: name of a keypoint layout.
        image_ids: COCO's number of each picture, by `meta.image_id`. Default: the number in the file name, as in COCO's
            own "000000000139.jpg"; other pictures keep their name, and so do those that share a number.

    Raises:
        UnknownNameError: no such layout.
        KeyError: a picture that `image_ids` lacks.
    """
    entries = []
    ids = image_ids if image_ids is not None else _image_ids(results)
    for result in results:
        name = result.meta.image_id
        points = result.to(layout)
        corners = result.boxes_xyxy.astype(np.float64)
        boxes_xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
        marks = person_scores(result.box_scores, points.scores)
        entries += [
            {
                "image_id": ids[name],
                "category_id": 1,
                "keypoints": triples,
                "score": score,
                "bbox": box,
            }
            for triples, score, box in zip(_triples(points), marks.tolist(), boxes_xywh.tolist(), strict=True)
        ]
    return entries


def coco_image_id(name: str) -> int | str:
    """The number that is a file's whole stem, as COCO names its pictures; else the name itself."""
    stem = Path(name).stem
    return int(stem) if re.fullmatch("[0-9]+", stem) else name


def _image_ids(results: Sequence[PoseResult]) -> dict[str, int | str]:
    """`coco_image_id` by name; people of `a/1.jpg` and `b/1.jpg` must not end up in one picture."""
    ids = {result.meta.image_id: coco_image_id(result.meta.image_id) for result in results}
    taken = Counter(ids.values())
    return {name: number if taken[number] == 1 else name for name, number in ids.items()}


def openpose(result: PoseResult) -> dict[str, Any]:
    """One picture as OpenPose (format version 1.3) writes it: BODY_25, 70 face points, 21 points per hand.

    Arrays hold x, y, score; points without a counterpart among the 308 are 0, 0, 0, OpenPose's mark for a point not
    found. People are not tracked ("person_id" -1).
    """
    points = result.to("body25+hands+face")
    sections = {"pose": slice(0, 25), "face": slice(67, 137), "hand_left": slice(25, 46), "hand_right": slice(46, 67)}
    people = []
    for triples in _triples(points):
        person: dict[str, Any] = {"person_id": [-1]}
        for name, span in sections.items():
            person[f"{name}_keypoints_2d"] = triples[3 * span.start : 3 * span.stop]
        people.append(person | {f"{name}_keypoints_3d": [] for name in sections})
    return {"version": 1.3, "people": people}


def predictions(results: Sequence[PoseResult], label: str, threshold: float = KEYPOINT_THRESHOLD) -> dict[str, Any]:
    """The original's predictions file: every point of every person of a run, whatever its score.

    Pictures go by their base name unless two of the run share one; then all keep the name they were given with. Points
    that are not finite are null, which JSON can say. With compat="reference" base names may repeat and NaN stays NaN.

    Args:
        results: in the order of the run.
        label: of the run, "video" in the file.
        threshold: noted in the file; nothing is left out.
    """
    names = [Path(result.meta.image_id).name for result in results]
    reference = any(result.meta.compat == "reference" for result in results)
    if len(set(names)) < len(names) and not reference:
        names = [result.meta.image_id for result in results]
    return {
        "video": label,
        "image_size": list(results[0].meta.size_hw) if results else None,
        "num_keypoints": len(NAMES),
        "kpt_thr_used": threshold,
        "frames": [
            {"image_name": name, "instances": _instances(result, nan=reference)}
            for name, result in zip(names, results, strict=True)
        ],
    }


def write_coco(results: Sequence[PoseResult], path: Path, layout: str = "coco17") -> Path:
    """Write `coco_results`; the file appears whole or not at all."""
    return _write(coco_results(results, layout), path)


def write_openpose(result: PoseResult, path: Path) -> Path:
    """Write `openpose`; the file appears whole or not at all."""
    return _write(openpose(result), path)


def write_predictions(results: Sequence[PoseResult], path: Path) -> Path:
    """Write `predictions` to `<label>_predictions.json`; the file appears whole or not at all."""
    return _write(predictions(results, path.name.removesuffix(PREDICTIONS_SUFFIX)), path)


def _instances(result: PoseResult, *, nan: bool) -> list[dict[str, Any]]:
    return [
        {"bbox": box.tolist(), "keypoints": _numbers(points, nan=nan), "keypoint_scores": _numbers(scores, nan=nan)}
        for box, points, scores in zip(result.boxes_xyxy, result.keypoints, result.scores, strict=True)
    ]


def _numbers(values: npt.NDArray[np.float32], *, nan: bool) -> Any:
    """Nested lists; null for what is not finite, unless NaN is wanted."""
    finite = np.isfinite(values)
    if nan or finite.all():
        return values.tolist()
    numbers = values.astype(object)
    numbers[~finite] = None
    return numbers.tolist()


def _triples(points: KeypointSet) -> list[list[float]]:
    """Per person x, y, score of all points in one list, to 1e-4 pixels; zeros where a point has no place."""
    table = np.concatenate([points.keypoints, points.scores[..., None]], -1).astype(np.float64).round(4)
    table[~np.isfinite(table).all(-1)] = 0
    flat: list[list[float]] = table.reshape(len(table), 3 * len(points.names)).tolist()
    return flat


def _write(content: Any, path: Path) -> Path:
    return write_bytes(path, json.dumps(content, separators=(",", ":")).encode("utf-8"))
