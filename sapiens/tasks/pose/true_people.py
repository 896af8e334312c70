"""The true people of a sample, and which found person stands for which of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.measuring import annotation, check_finite
from sapiens.tasks.pose.keypoints import NAMES

SAME_PERSON_IOU = 0.5

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TruePeople:
    """The true people of a picture, G of them.

    Attributes:
        keypoints: (G, 308, 3) float32 pixels and visibility.
        boxes_xyxy: (G, 4) float32 pixels.
        areas: (G,) float64 pixels: as annotated, else those of the boxes.
        crowd: (G,) bool.
    """

    keypoints: npt.NDArray[np.float32]
    boxes_xyxy: npt.NDArray[np.float32]
    areas: npt.NDArray[np.float64]
    crowd: npt.NDArray[np.bool_]

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """(G, 308) bool: which points are known."""
        return np.asarray(self.keypoints[..., 2] > 0)


def true_people(sample: Sample) -> TruePeople:
    """Everybody in the picture: extra "people_keypoints" with "boxes_xyxy", else the one person of the record.

    Raises:
        InputError: no keypoints or box, arrays of other shapes, or NaN in labelled points.
    """
    extra = sample.extra
    if "people_keypoints" in extra and "boxes_xyxy" in extra:
        points, boxes = np.asarray(extra["people_keypoints"], np.float32), np.asarray(extra["boxes_xyxy"], np.float32)
    else:
        points = np.asarray(annotation(sample, "keypoints"), np.float32)[None]
        if "box_xyxy" not in extra:
            raise InputError(f"{sample.id}: pose needs the person's box, extra 'box_xyxy'")
        boxes = np.asarray(extra["box_xyxy"], np.float32)[None]
    if points.shape != (len(boxes), len(NAMES), 3) or boxes.shape != (len(points), 4):
        raise InputError(
            f"{sample.id}: keypoints {points.shape} and boxes {boxes.shape}, expected (N, {len(NAMES)}, 3) and (N, 4)"
        )
    check_finite(sample, true_boxes=boxes, labelled_keypoints=points[points[..., 2] > 0])
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).astype(np.float64).prod(1)
    if "area" in extra and len(areas) == 1:
        areas = np.array([float(extra["area"])])
    return TruePeople(points, boxes, areas, np.full(len(areas), bool(extra.get("iscrowd", 0))))


def picture_key(sample: Sample) -> str:
    """Equal for records of one picture; sorts numbered pictures by their numbers."""
    if "image_id" not in sample.extra:
        return sample.id
    # Two sets may number their pictures alike.
    return f"{sample.extra['image_id']!s:0>20}/{zlib.crc32(sample.image.tobytes()):08x}"


def pair_up(found_xyxy: Array, true_xyxy: Array) -> npt.NDArray[np.intp]:
    """(G,) which found box stands for each true one, -1 for none: best overlap first, each once, at least one half."""
    partner = np.full(len(true_xyxy), -1, np.intp)
    if not len(found_xyxy) or not len(true_xyxy):
        return partner
    one, other = found_xyxy[:, None].astype(np.float64), true_xyxy[None].astype(np.float64)
    shared = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    overlap = np.maximum(shared, 0).prod(-1)
    union = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1) - overlap
    iou = overlap / np.maximum(union, 1e-9)
    while iou.max() >= SAME_PERSON_IOU:
        d, g = np.unravel_index(iou.argmax(), iou.shape)
        partner[g] = d
        iou[d], iou[:, g] = -1, -1
    return partner
