"""What the dense tasks share: one stretched or letterboxed network input per picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.imaging.frame import Frame
from sapiens.imaging.geometry import Letterbox, Stretch
from sapiens.imaging.sample import Sample
from sapiens.imaging.sample_moves import letterbox
from sapiens.tasks.base import Prepared, Setup

Preprocess = Callable[[Frame, npt.NDArray[np.float32] | None, Setup], list[Prepared]]


def letterboxed(frame: Frame, boxes: npt.NDArray[np.float32] | None, setup: Setup) -> list[Prepared]:
    """The whole picture, aspect kept, zeros around it (normals, points, albedo)."""
    return [_apply(Letterbox(frame.size_hw, setup.input_hw), frame)]


def stretched(enlarge: Any) -> Preprocess:
    """The whole picture, aspect not kept (parts: enlarge="cubic"; matting: "linear")."""

    def preprocess(frame: Frame, boxes: npt.NDArray[np.float32] | None, setup: Setup) -> list[Prepared]:
        return [_apply(Stretch(frame.size_hw, setup.input_hw, enlarge), frame)]

    return preprocess


def _apply(geometry: Letterbox | Stretch, frame: Frame) -> Prepared:
    return Prepared(geometry.apply(frame.image), geometry)


def fit_letterboxed(sample: Sample, recipe: Any) -> Sample:
    """An annotated picture as prediction letterboxes it, with a mask that leaves the padding out."""
    return letterbox(sample, recipe.input_hw)
