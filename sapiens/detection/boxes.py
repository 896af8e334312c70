"""Person boxes: the record detectors return, what a detector is, and checks of boxes that users give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8

Boxes = npt.NDArray[np.float32]
"""(N, 4) or (N,) float32."""

WHOLE_IMAGE_NOTE = "whole picture as one person"


@dataclass(frozen=True, eq=False)
class Detections:
    """People found in one picture.

    Attributes:
        boxes_xyxy: (N, 4) float32, corners in pixels of the picture, best first; they may reach beyond its edges.
        scores: (N,) float32 in 0..1.
    """

    boxes_xyxy: Boxes
    scores: Boxes

    def __post_init__(self) -> None:
        if self.boxes_xyxy.shape != (len(self.scores), 4) or self.scores.ndim != 1:
            raise InputError(f"expected boxes (N, 4) and scores (N,); got {self.boxes_xyxy.shape}, {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.scores)


class Detector(Protocol):
    """Finds people: a list of (H, W, 3) uint8 RGB pictures of any sizes in, a list of the same length out."""

    @property
    def name(self) -> str:
        """What users type."""

    def __call__(self, images: Sequence[ImageU8]) -> list[Detections]: ...


def whole_image(size_hw: tuple[int, int]) -> Detections:
    """One box over the whole picture, (0, 0, w-1, h-1), with score 1; callers attach `WHOLE_IMAGE_NOTE`."""
    height, width = size_hw
    return Detections(np.array([[0, 0, width - 1, height - 1]], np.float32), np.ones(1, np.float32))


def validate_boxes(boxes: Any, size_hw: tuple[int, int], *, name: str = "boxes") -> tuple[Boxes, Boxes]:
    """Check the boxes a user gives for one picture; their order is kept.

    Args:
        boxes: (N, 4) array-like x1, y1, x2, y2 in pixels, or (N, 5) with a score last; N may be 0.
        size_hw: the picture's height and width.
        name: what to call them in errors, usually the picture's name.

    Returns:
        (N, 4) float32 boxes and (N,) float32 scores (1 where none was given). Boxes that reach beyond the picture are
        kept as they are.

    Raises:
        InputError: not such an array, not finite, empty, or wholly outside the picture; the message names the box.
    """
    try:
        table = np.asarray(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: boxes must be numbers in rows x1, y1, x2, y2 ({error})") from error
    if table.size == 0:
        table = table.reshape(0, 4)
    if table.ndim != 2 or table.shape[1] not in (4, 5):
        hint = "one box is written [[x1, y1, x2, y2]]" if table.ndim == 1 else None
        raise InputError(f"{name}: expected boxes of shape (N, 4), or (N, 5) with scores; got {table.shape}", hint)
    for index, row in enumerate(table):
        problem = box_problem(row) or _outside(row, size_hw)
        if problem:
            raise InputError(f"{name}: box {index} ({', '.join(f'{v:g}' for v in row[:4])}) {problem}")
    scores = table[:, 4] if table.shape[1] == 5 else np.ones(len(table), np.float32)
    return table[:, :4].copy(), scores.copy()


def box_problem(row: npt.NDArray[np.floating[Any]]) -> str | None:
    """What is wrong with one row x1, y1, x2, y2[, score], or None."""
    if not np.isfinite(row).all():
        return "holds NaN or infinity"
    if row[2] <= row[0]:
        return "has x2 <= x1"
    return "has y2 <= y1" if row[3] <= row[1] else None


def _outside(row: Boxes, size_hw: tuple[int, int]) -> str | None:
    height, width = size_hw
    if row[0] < width and row[1] < height and row[2] > 0 and row[3] > 0:
        return None
    return f"lies wholly outside the picture ({width} wide, {height} high)"
