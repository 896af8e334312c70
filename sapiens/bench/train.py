"""Training: seconds an update, pictures a second, and memory, for nano with each way to tune and optimiser."""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import Any

import torch

from sapiens.backbones.sizes import get_size
from sapiens.bench.table import report
from sapiens.config import Optim
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.training.data import Batch, Examples, collate
from sapiens.training.learner import Learner
from sapiens.training.lesson import make_lesson
from sapiens.training.model import make_model
from sapiens.training.processes import make_accelerator
from sapiens.training.recipes import get_recipe
from sapiens.training.tune import budget

ALL = "pose,seg,normal,pointmap,matting,albedo"
ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("seg", {}),
    ("seg", {"tune": "head"}),
    ("seg", {"tune": "blocks:2"}),
    ("seg", {"tune": "lora:8"}),
    ("seg", {"checkpointing": True}),
    ("seg", {"optim": Optim(kind="muon")}),
    (ALL, {}),
)
BATCH = 8


def run(repeats: int = 5) -> dict[str, Any]:
    """Time updates of nano on batches of 8 procedural people, after one warm-up; on the GPU when there is one.

    Returns:
        a report; times are medians over `repeats` updates, and do not hold the reading of data.
    """
    people = RenderedPeople(RenderSpec(seed=1, count=BATCH, size_hw=get_size("nano").input_hw))
    rows = [_row(tasks, changes, people, repeats) for tasks, changes in ROWS]
    remarks = ["memory: weights, gradients and optimiser; peak: with activations, GPU only"]
    return report(f"train nano, {BATCH} pictures an update, median of {repeats}", rows, remarks)


def _row(tasks: str, changes: dict[str, Any], people: RenderedPeople, repeats: int) -> dict[str, Any]:
    recipe = dataclasses.replace(get_recipe(tasks, "nano"), batch_size=BATCH, iterations=repeats + 1, **changes)
    model = make_model(recipe)
    lesson = make_lesson(recipe)
    learner = Learner(recipe, lesson, model, make_accelerator())
    learner.network.train()
    examples = Examples(people, lesson, recipe)
    batch = collate([examples[0, index] for index in range(BATCH)])
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    seconds = [_time(learner, batch, number) for number in range(repeats + 1)]
    step = statistics.median(seconds[1:])
    peak = f"{torch.cuda.max_memory_allocated() / 1e6:.0f}" if torch.cuda.is_available() else ""
    return {
        "tasks": "all six" if tasks == ALL else tasks,
        "trained": recipe.tune + (", checkpointing" if recipe.checkpointing else ""),
        "optimiser": recipe.optim.kind,
        "ms an update": round(1000 * step, 1),
        "pictures a second": round(BATCH / step, 1),
        "memory MB": round(budget(model, recipe).sum_mb, 1),
        "peak MB": peak,
    }


def _time(learner: Learner, batch: Batch, number: int) -> float:
    start = time.perf_counter()
    learner.update([batch], number)  # ends with numbers on the CPU, so nothing is left in a queue
    return time.perf_counter() - start
