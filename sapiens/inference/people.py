"""Where the people are: boxes given by the user, a detector, or the whole picture when asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sapiens.errors import SapiensError
from sapiens.inference.item import Item
from sapiens.tasks.base import People

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sapiens.detection import Detector

NOBODY = "no person found"
BoxesOf = Callable[[Item], "npt.NDArray[np.float32] | None"]


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
        self._detector: Detector | None = None
        self._failure: SapiensError | None = None

    def load(self) -> Detector:
        """The detector; made the first time, and a failure is not tried again for every picture of a run.

        Raises:
            SapiensError: no such detector, or no usable weights.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        if self._detector is None:
            try:
                self._detector = self._make_detector()
            except SapiensError as error:
                self._failure = error
                raise
        return self._detector

    def __call__(self, item: Item) -> None:
        """Set `item.people`."""
        from sapiens.detection import WHOLE_IMAGE_NOTE, Detections, validate_boxes, whole_image

        frame = item.take()
        given = self._boxes(item) if self._boxes is not None else None
        if given is not None:
            found, note = Detections(*validate_boxes(given, frame.size_hw, name=item.source.id)), None
        elif self._whole_image:
            found, note = whole_image(frame.size_hw), WHOLE_IMAGE_NOTE
        else:
            found, note = self.load()([frame.image])[0], None
            if not len(found) and self._whole_if_nobody:
                found, note = whole_image(frame.size_hw), WHOLE_IMAGE_NOTE
        item.people = People(found.boxes_xyxy, found.scores, note or (None if len(found) else NOBODY))
