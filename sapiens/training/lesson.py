"""What a run learns: one task, or several tasks on one backbone.

A lesson is three functions, so that the loop knows nothing of tasks: sample -> example, pictures -> raw outputs, raw
outputs and targets -> losses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample, flip
from sapiens.tasks import get_task
from sapiens.tasks.base import Raw, Setup, Task
from sapiens.tasks.learning import Learning, get_learning
from sapiens.training.views import take_view


@dataclass(frozen=True)
class Lesson:
    """What a run learns.

    Attributes:
        example: sample, random generator or None (no augmentation) -> tensors of one example, "input" among them.
        forward: network, (B, 3, h, w) normalised RGB -> raw outputs by name.
        loss: raw outputs, batched example tensors -> named terms, "loss" among them.
    """

    example: Callable[[Sample, np.random.Generator | None], dict[str, Tensor]]
    forward: Callable[[nn.Module, Tensor], Raw]
    loss: Callable[[Raw, Mapping[str, Tensor]], dict[str, Tensor]]


def split_tasks(names: str) -> list[str]:
    """Names of a recipe's tasks: "pose,seg" -> ["pose", "seg"].

    Raises:
        InputError: one appears twice.
    """
    tasks = [name.strip() for name in names.split(",") if name.strip()]
    if len(set(tasks)) < len(tasks) or not tasks:
        raise InputError(f"task {names!r}: expected a task, or different ones with commas between")
    return tasks


def make_lesson(recipe: Recipe) -> Lesson:
    """The lesson of a recipe.

    Raises:
        UnknownNameError: no such task.
    """
    tasks = split_tasks(recipe.task)
    if len(tasks) == 1:
        return single_lesson(recipe, get_task(tasks[0]), get_learning(tasks[0]))
    return joint_lesson(recipe, {name: (get_task(name), get_learning(name)) for name in tasks})


def single_lesson(recipe: Recipe, task: Task, learning: Learning) -> Lesson:
    """One task, with its own augmentation."""
    setup = Setup(recipe.input_hw, recipe.compat, task.options(**recipe.options))
    return Lesson(
        lambda sample, rng: learning.example(sample, rng, recipe),
        lambda model, pixels: task.forward(model, pixels, setup),
        lambda raw, batch: learning.loss(raw, batch, recipe),
    )


def joint_lesson(recipe: Recipe, tasks: Mapping[str, tuple[Task, Learning]]) -> Lesson:
    """Several tasks on one backbone: one view of each picture, every task's target of it, weighted losses added.

    Tensors of a task are named "task/name". The network is a `JointModel`. Input size and compat are those of the run.
    """
    parts = {
        name: dataclasses.replace(recipe.parts[name], input_hw=recipe.input_hw, compat=recipe.compat) for name in tasks
    }
    setups = {
        name: Setup(recipe.input_hw, recipe.compat, task.options(**parts[name].options))
        for name, (task, _) in tasks.items()
    }
    swaps = {field: swap for _, learning in tasks.values() for field, swap in learning.swaps.items()}

    def example(sample: Sample, rng: np.random.Generator | None) -> dict[str, Tensor]:
        view = take_view(sample, rng, recipe.augment, recipe.input_hw)
        if rng is not None and rng.random() < recipe.augment.flip:
            view = flip(view, swaps)
        tensors = {"input": torch.from_numpy(view.image.transpose(2, 0, 1).copy())}
        for name, (_, learning) in tasks.items():
            targets = learning.targets(view, parts[name])
            tensors |= {f"{name}/{key}": value for key, value in targets.items()}
        return tensors

    def forward(model: nn.Module, pixels: Tensor) -> Raw:
        outputs = model(pixels)
        raw: Raw = {}
        for name, (task, _) in tasks.items():
            named = task.forward(_Given(outputs[name]), pixels, setups[name])
            raw |= {f"{name}/{key}": value for key, value in named.items()}
        return raw

    def loss(raw: Raw, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for name, (_, learning) in tasks.items():
            own = learning.loss(_of(raw, name), _of(batch, name), parts[name])
            terms |= {f"{name}/{key}": value for key, value in own.items()}
        total = torch.stack([parts[name].weight * terms[f"{name}/loss"] for name in tasks]).sum()
        return {"loss": total, **terms}

    return Lesson(example, forward, loss)


class _Given(nn.Module):
    """A network whose output is known already; what a task's `forward` calls in a joint run."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, pixels: Tensor) -> Any:
        return self.output


def _of(tensors: Mapping[str, Tensor], task: str) -> dict[str, Tensor]:
    """A task's tensors under their own names."""
    start = f"{task}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
