"""What learning a task means: the record that training and evaluation move data through.

A sample goes one way: reader -> Sample (arrays at the picture's own size) -> augmented and cut to the network input ->
tensors of one training example -> batch -> loss. Kept apart from `Task`, so that prediction never loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import Raw, Result

FieldKind = Literal["labels", "mask", "normals", "points", "keypoints", "alpha", "colour"]
"""How an annotation follows a resize, crop, rotation or flip; `sapiens.imaging.fields` has the rules, once."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated picture (for pose: one person of a picture).

    Attributes:
        image: (H, W, 3) uint8 RGB.
        id: name used in errors and reports.
        fields: annotation by name; every name is listed with its kind in the task's `Learning.fields`.
        extra: numbers and boxes that are no field, e.g. "box_xyxy", "intrinsics".
    """

    image: ImageU8
    id: str
    fields: Mapping[str, npt.NDArray[Any]]
    extra: Mapping[str, Any] = field(default_factory=dict)


class Metrics(Protocol):
    """Sums over pictures, so that any number of processes and any batch size give the same numbers."""

    def update(self, result: Result, sample: Sample) -> None:
        """Add one picture."""

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """The sums, to be sent between processes."""

    def merge(self, state: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Add another process's sums."""

    def compute(self) -> dict[str, float]:
        """The numbers, by name; NaN where nothing was counted."""


@dataclass(frozen=True)
class Learning:
    """What a task adds for training and evaluation.

    Attributes:
        fields: annotation name -> kind.
        example: sample, random generator or None (no augmentation), recipe -> tensors of one example: "input" uint8
            (3, h, w) RGB at the network's size, and the task's targets.
        loss: raw network outputs, batched example tensors, recipe -> named terms; "loss" is their weighted total.
        metrics: a fresh `Metrics`.
        recipe: size -> the released training settings (`sapiens.config.Recipe`).
    """

    fields: Mapping[str, FieldKind]
    example: Callable[[Sample, np.random.Generator | None, Any], dict[str, Tensor]]
    loss: Callable[[Raw, Mapping[str, Tensor], Any], dict[str, Tensor]]
    metrics: Callable[[], Metrics]
    recipe: Callable[[str], Any]
