"""What pose estimation gives: 308 keypoints for every person of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.palette import side_by_side as beside
from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import Result
from sapiens.tasks.pose.draw import REFERENCE_RADIUS, REFERENCE_THICKNESS, draw_people, stroke_sizes
from sapiens.tasks.pose.keypoints import NAMES
from sapiens.tasks.pose.sets import KeypointSet, get_layout

COUNTED_SCORE = 0.2
"""Keypoints above this score count in a person's score, as in the evaluation of the released models."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseResult(Result):
    """The people of one picture, N of them, best box first; N is 0 where nobody was found.

    Attributes:
        boxes_xyxy: (N, 4) float32, the person boxes in pixels of the picture, as given or detected.
        box_scores: (N,) float32 in 0..1.
        keypoints: (N, 308, 2) float32 x, y in pixels of the picture; 0 is the centre of its first pixel. They may lie
            outside it. NaN only with compat="reference".
        scores: (N, 308) float32, heatmap maxima: about 1 where the network is sure, but not probabilities; they may
            exceed 1 or be negative.
        ids: (N,) int32, the same number for the same person throughout a clip, from 1; None outside clips.
    """

    task: ClassVar[str] = "pose"

    boxes_xyxy: npt.NDArray[np.float32]
    box_scores: npt.NDArray[np.float32]
    keypoints: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    ids: npt.NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        people, points = len(self.boxes_xyxy), len(NAMES)
        self.check_shape("boxes_xyxy", self.boxes_xyxy, people, 4)
        self.check_shape("box_scores", self.box_scores, people)
        self.check_shape("keypoints", self.keypoints, people, points, 2)
        self.check_shape("scores", self.scores, people, points)
        if self.ids is not None:
            self.check_shape("ids", self.ids, people)
        for name, value in self.arrays().items():
            wanted = np.int32 if name == "ids" else np.float32
            if value.dtype != wanted:
                raise InputError(f"PoseResult.{name}: expected {np.dtype(wanted)}, got {value.dtype}")

    def __len__(self) -> int:
        """Number of people."""
        return len(self.boxes_xyxy)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each of the 308 points, by index."""
        return NAMES

    def to(self, layout: str) -> KeypointSet:
        """The same people in another layout, e.g. "coco17"; `sapiens.tasks.pose.sets.LAYOUTS` has all.

        Raises:
            UnknownNameError: no such layout.
        """
        return get_layout(layout).convert(self.keypoints, self.scores)

    def draw(
        self,
        image: ImageU8 | None = None,
        *,
        side_by_side: bool = False,
        radius: int | None = None,
        thickness: int | None = None,
        threshold: float = 0.3,
    ) -> Image.Image:
        """Skeletons over the picture; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | skeletons].
            radius, thickness: of points and links in pixels; default 3 and 1 with compat="reference", else by the
                picture's size.
            threshold: least score drawn.
        """
        canvas = self.canvas(image)
        usual = stroke_sizes(self.meta.size_hw)
        if self.meta.compat == "reference":
            usual = REFERENCE_RADIUS, REFERENCE_THICKNESS
        drawn = draw_people(
            canvas,
            self.keypoints,
            self.scores,
            radius=usual[0] if radius is None else radius,
            thickness=usual[1] if thickness is None else thickness,
            threshold=threshold,
        )
        return Image.fromarray(beside(canvas, drawn) if side_by_side else drawn)


def person_scores(box_scores: npt.NDArray[Any], scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """One score per person: box score times the mean of the keypoint scores above 0.2, 0 if none is.

    Args:
        box_scores: (N,).
        scores: (N, K), of any layout.

    Returns:
        (N,) float64.
    """
    counted = scores > COUNTED_SCORE
    sums = np.where(counted, scores, 0).sum(1, dtype=np.float64)
    people: npt.NDArray[np.float64] = box_scores * sums / np.maximum(counted.sum(1), 1)
    return people
