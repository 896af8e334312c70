"""What predicted keypoints are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta
from sapiens.tasks.pose.keypoints import NAMES
from sapiens.tasks.pose.result import PoseResult
from sapiens.tasks.pose.true_people import true_people
from sapiens.tasks.yardstick import Answer, Yardstick


def truth(sample: Sample, meta: Meta) -> PoseResult:
    """The people of the picture; points score 1 where they are labelled, hidden or not."""
    people = true_people(sample)
    xy = np.where(people.labelled[..., None], people.keypoints[..., :2], 0)
    return _result(people.boxes_xyxy, xy, people.labelled, sample, meta)


def _result(
    boxes: npt.NDArray[np.float32],
    xy: npt.NDArray[np.floating],
    known: npt.NDArray[np.bool_],
    sample: Sample,
    meta: Meta,
) -> PoseResult:
    return PoseResult(
        meta=meta,
        image=sample.image,
        boxes_xyxy=boxes,
        box_scores=np.ones(len(boxes), np.float32),
        keypoints=xy.astype(np.float32),
        scores=known.astype(np.float32),
    )


def mean_pose(samples: Iterable[Sample]) -> Answer:
    """Each point at its mean place within the person's box, which is taken from the annotation."""
    total, count = np.zeros((len(NAMES), 2)), np.zeros((len(NAMES), 1))
    for sample in samples:
        people = true_people(sample)
        size = people.boxes_xyxy[:, 2:] - people.boxes_xyxy[:, :2]
        place = (people.keypoints[..., :2] - people.boxes_xyxy[:, None, :2]) / size[:, None]
        total += np.where(people.labelled[..., None], place, 0).sum(0)
        count += people.labelled.sum(0)[:, None]
    mean = np.where(count > 0, total / np.maximum(count, 1), 0.5)

    def answer(sample: Sample, meta: Meta) -> PoseResult:
        boxes = true_people(sample).boxes_xyxy
        xy = boxes[:, None, :2] + mean * (boxes[:, 2:] - boxes[:, :2])[:, None]
        return _result(boxes, xy, np.ones(xy.shape[:2], bool), sample, meta)

    return answer


YARDSTICK = Yardstick(
    shown={
        "pck_box_body": "high",
        "pck_box": "high",
        "auc": "high",
        "nme": "low",
        "ap_body": "high",
        "ap": "high",
        "ar": "high",
    },
    truth=truth,
    trivial={"mean pose": mean_pose},
)
