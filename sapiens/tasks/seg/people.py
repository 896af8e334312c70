"""Person boxes from body parts: for networks that come without a detector."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.detection import Detections
from sapiens.tasks.seg.classes import PARTS

HEAD = tuple(part.index for part in PARTS if part.name in ("Face_Neck", "Hair"))
SMALLEST_SHARE = 0.004
"""Of the picture: smaller regions are no person."""
SMALLEST_HEAD = 0.02
"""Of its region: smaller patches of hair or skin are no second head."""
DOWN = 0.35
"""A body hangs below its head: a step down counts for this much of a step aside."""

Bool = npt.NDArray[np.bool_]


def find_people(labels: npt.NDArray[np.uint8]) -> Detections:
    """One box per connected region of body parts; a region with several heads is divided among them.

    People who hide each other's heads, or whose heads touch, are found as one.

    Args:
        labels: (H, W) uint8, 0 background.

    Returns:
        boxes in pixels, the largest region first; the score is the share of the box that is covered, 0..1.
    """
    person = labels > 0
    found = [part for region in _regions(person, SMALLEST_SHARE * labels.size) for part in _split(region, labels)]
    # In pictures of a few pixels a region may be one row or column, around which there is no box.
    found = [region for region in found if region.any(0).sum() > 1 and region.any(1).sum() > 1]
    found.sort(key=lambda region: -int(region.sum()))
    boxes = np.array([_box(region) for region in found], np.float32).reshape(-1, 4)
    scores = [
        region.sum() / max(1.0, (box[2] - box[0] + 1) * (box[3] - box[1] + 1))
        for region, box in zip(found, boxes, strict=True)
    ]
    return Detections(boxes, np.array(scores, np.float32).clip(0, 1))


def _regions(mask: Bool, smallest: float) -> list[Bool]:
    """Connected regions of at least so many pixels."""
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [numbers == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= smallest]


def _split(region: Bool, labels: npt.NDArray[np.uint8]) -> list[Bool]:
    """A region, or its parts that belong to one head each."""
    heads = _regions(region & np.isin(labels, HEAD), SMALLEST_HEAD * region.sum())
    if len(heads) < 2:
        return [region]
    rows, columns = np.nonzero(region)
    distance = np.stack([_from_head(head, rows, columns) for head in heads])
    nearest = distance.argmin(0)
    parts = []
    for k in range(len(heads)):
        part = np.zeros_like(region)
        part[rows[nearest == k], columns[nearest == k]] = True
        parts.append(part)
    return parts


def _from_head(head: Bool, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    row, column = (axis.mean() for axis in np.nonzero(head))
    down = np.where(rows > row, DOWN, 1.0)
    distance: npt.NDArray[np.float64] = np.hypot(columns - column, down * (rows - row))
    return distance


def _box(region: Bool) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(region)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())
