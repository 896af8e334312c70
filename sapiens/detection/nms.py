"""Greedy non-maximum suppression, with the pixel convention of the released pose pipeline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sapiens.detection.boxes import Boxes, Detections


def nms(boxes_xyxy: Boxes, scores: Boxes, iou_threshold: float = 0.3) -> npt.NDArray[np.intp]:
    """Which boxes to keep: the best one, then the best that overlaps no kept one too much, and so on.

    Corners are pixels inside the box, so a box is x2 - x1 + 1 wide; a box whose overlap equals the threshold stays.

    Args:
        boxes_xyxy: (N, 4) float32, pixels.
        scores: (N,) float32.
        iou_threshold: largest intersection over union with a kept box.

    Returns:
        indices of the kept boxes, best first.
    """
    remaining = np.argsort(-scores, kind="stable")
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2] + 1).prod(axis=1)
    kept: list[int] = []
    while remaining.size:
        best, rest = remaining[0], remaining[1:]
        kept.append(int(best))
        top_left = np.maximum(boxes_xyxy[best, :2], boxes_xyxy[rest, :2])
        bottom_right = np.minimum(boxes_xyxy[best, 2:], boxes_xyxy[rest, 2:])
        shared = (bottom_right - top_left + 1).clip(min=0).prod(axis=1)
        iou = shared / (areas[best] + areas[rest] - shared)
        remaining = rest[iou <= iou_threshold]
    return np.array(kept, np.intp)


def select(boxes_xyxy: Boxes, scores: Boxes, score_threshold: float, iou_threshold: float) -> Detections:
    """Boxes scored above `score_threshold` that survive suppression, best first."""
    good = scores > score_threshold
    boxes_xyxy, scores = boxes_xyxy[good], scores[good]
    kept = nms(boxes_xyxy, scores, iou_threshold)
    return Detections(boxes_xyxy[kept], scores[kept])
