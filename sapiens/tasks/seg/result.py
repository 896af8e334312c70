"""What body-part segmentation gives: a part for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.detection import Detections
from sapiens.drawing.palette import side_by_side as beside
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import Result
from sapiens.tasks.seg.classes import NAMES, PARTS, part_index
from sapiens.tasks.seg.draw import draw_parts
from sapiens.tasks.seg.people import find_people


@dataclass(frozen=True, eq=False, kw_only=True)
class SegResult(Result):
    """Body parts of one picture; `sapiens.tasks.seg.classes` has their names and colours.

    Attributes:
        labels: (H, W) uint8, the most probable part of each pixel; 0 is the background.
        probabilities: (H, W, 29) float16 in 0..1, the sum over parts 1 up to rounding; None unless asked for with
            `probabilities=True`. 58 bytes per pixel: 0.7 GB for 12 megapixels. `labels` were chosen before rounding
            to float16, which can make the two best parts of a pixel equal.
    """

    task: ClassVar[str] = "seg"

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float16] | None = None

    def __post_init__(self) -> None:
        self.check_array("labels", self.labels, np.uint8, *self.meta.size_hw)
        if self.probabilities is not None:
            self.check_array("probabilities", self.probabilities, np.float16, *self.meta.size_hw, len(PARTS))

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each label, by index."""
        return NAMES

    def where(self, *names: str) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the pixels of these parts; without names, of the whole person.

        Raises:
            UnknownNameError: no such part.
        """
        if not names:
            return self.labels > 0
        return np.isin(self.labels, [part_index(name) for name in names])

    def areas(self) -> dict[str, int]:
        """Pixels of every part that occurs, by name, in the order of the labels."""
        counts = np.bincount(self.labels.ravel(), minlength=len(PARTS))
        return {part.name: int(counts[part.index]) for part in PARTS if counts[part.index]}

    def people(self) -> Detections:
        """Person boxes around connected parts; see `sapiens.tasks.seg.people`."""
        return find_people(self.labels)

    def draw(self, image: ImageU8 | None = None, *, side_by_side: bool = False, opacity: float = 0.5) -> Image.Image:
        """The parts' colours over the picture; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | overlay].
            opacity: 0 shows the picture alone, 1 the colours alone.
        """
        canvas = self.canvas(image)
        overlay = draw_parts(self.labels, canvas, opacity)
        return Image.fromarray(beside(canvas, overlay) if side_by_side else overlay)
