"""Where the people are: boxes given by the user, a detector, or the whole picture when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sapiens.tasks.base import People

if TYPE_CHECKING:
    from sapiens.detection import Detector
    from sapiens.inference.engine import Item

NOBODY = "no person found"
WHOLE = "the whole picture is taken as one person"
BoxesOf = Callable[["Item"], "npt.NDArray[np.float32] | None"]


class PeopleFinder:
    """Finds the people of each picture, in this order: given boxes, whole picture, detector.

    Args:
        make_detector: builds the detector; called once, and only if a picture needs it.
        boxes: (N, 4) or (N, 5) float32 xyxy[score] of an item, or None where it has none.
        whole_image: take every picture as one person and load no detector.
        whole_if_nobody: take the picture as one person when the detector finds nobody, as the original does.
    """

    def __init__(
        self,
        make_detector: Callable[[], Detector],
        *,
        boxes: BoxesOf | None = None,
        whole_image: bool = False,
        whole_if_nobody: bool = False,
    ) -> None:
        self._make_detector = make_detector
        self._boxes = boxes
        self._whole_image = whole_image
        self._whole_if_nobody = whole_if_nobody

    @cached_property
    def detector(self) -> Detector:
        """The detector, loaded on first use."""
        return self._make_detector()

    def stage(self, items: Iterator[Item]) -> Iterator[Item]:
        """Set `people` on every item that has none yet and has not failed."""
        from sapiens.inference.engine import guarded

        return map(guarded(self.find), items)

    def find(self, item: Item) -> None:
        """Set `item.people`."""
        frame = item.take()
        given = self._boxes(item) if self._boxes is not None else None
        if given is not None:
            from sapiens.detection import validate_boxes

            boxes, scores = validate_boxes(given, frame.size_hw, name=item.source.id)
            item.people = People(boxes, scores, None if len(boxes) else NOBODY)
        elif self._whole_image:
            item.people = whole_picture(frame.size_hw)
        else:
            found = self.detector([frame.image])[0]
            item.people = People(found.boxes_xyxy, found.scores, None if len(found.scores) else NOBODY)
            if not len(item.people) and self._whole_if_nobody:
                item.people = whole_picture(frame.size_hw)


def whole_picture(size_hw: tuple[int, int]) -> People:
    """One box over the whole picture, (0, 0, w-1, h-1), marked as such."""
    height, width = size_hw
    return People(np.array([[0, 0, width - 1, height - 1]], np.float32), np.ones(1, np.float32), WHOLE)
