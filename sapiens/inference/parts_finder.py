"""A person finder that needs no detector weights: boxes around the body parts that a network finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sapiens.detection import Detections
from sapiens.imaging.frame import ImageU8


class PartsFinder:
    """Finds people by their parts.

    Args:
        predictor: of body parts; its results know `people()`.
    """

    name = "parts"

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    def __call__(self, images: Sequence[ImageU8]) -> list[Detections]:
        """See `sapiens.detection.Detector`."""
        return [self._predictor(image).people() for image in images]
