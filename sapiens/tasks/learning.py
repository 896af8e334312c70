"""What learning a task means: the record that training and evaluation move data through.

reader -> `Sample` (annotations at the picture's own size) -> `augment` or `fit` (a sample at the network's size)
-> `targets` (tensors of one example) -> batch -> `loss`. Kept apart from `Task`, so that prediction never loads it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sapiens.imaging.sample import Sample
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import Raw, Result

__all__ = ["Learning", "Metrics", "Sample", "get_learning"]


class Metrics(Protocol):
    """Sums over pictures, so that any number of processes and any batch size give the same numbers."""

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its own score, in the unit of `headline`, by which best and worst are chosen."""

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The sums, to be sent between processes."""

    def merge(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add another process's sums."""

    def compute(self) -> dict[str, float]:
        """The numbers, by name; NaN where nothing was counted."""


@dataclass(frozen=True)
class Learning:
    """What a task adds for training and evaluation.

    Attributes:
        fields: annotations that training needs (names of `sapiens.imaging.sample.FIELDS`).
        augment: sample, random generator, recipe -> a sample at `recipe.input_hw`, as the released training augments.
        fit: sample, recipe -> a sample at `recipe.input_hw`, cut as prediction cuts it.
        targets: a sample at the network's size, recipe -> the task's target tensors of one example.
        loss: raw network outputs, batched target tensors, recipe -> named terms; "loss" is their weighted total.
        metrics: a fresh `Metrics`.
        headline: the metric that chooses the best weights, and whether "high" or "low" values of it are good.
        recipe: size -> the training settings (`sapiens.config.Recipe`).
        swaps: what becomes what under a mirror, by field; see `sapiens.imaging.sample.flip`.
    """

    fields: tuple[str, ...]
    augment: Callable[[Sample, np.random.Generator, Any], Sample]
    fit: Callable[[Sample, Any], Sample]
    targets: Callable[[Sample, Any], dict[str, Tensor]]
    loss: Callable[[Raw, Mapping[str, Tensor], Any], dict[str, Tensor]]
    metrics: Callable[[], Metrics]
    headline: tuple[str, str]
    recipe: Callable[[str], Any]
    swaps: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def example(self, sample: Sample, rng: np.random.Generator | None, recipe: Any) -> dict[str, Tensor]:
        """Tensors of one example: "input" uint8 (3, h, w) RGB, and the targets.

        Args:
            sample: at the picture's own size.
            rng: of the augmentation; None: no augmentation.
            recipe: with `input_hw` and the task's settings.

        Raises:
            InputError: the sample lacks an annotation, or has one that cannot be used; names it.
        """
        ready = self.fit(sample, recipe) if rng is None else self.augment(sample, rng, recipe)
        pixels = torch.from_numpy(np.ascontiguousarray(ready.image.transpose(2, 0, 1)))
        return {"input": pixels, **self.targets(ready, recipe)}


def get_learning(name: str) -> Learning:
    """The learning of a task by name.

    Raises:
        UnknownNameError: names the nearest task.
    """
    get_task(name)
    learning: Learning = importlib.import_module(f"{TASKS[name]}.learning").LEARNING
    return learning
