"""What will run, in words, before it does."""

from __future__ import annotations

import torch
from torch import nn

from sapiens.config import Recipe
from sapiens.env import process_count
from sapiens.training.origin import Origin
from sapiens.training.tune import budget


def describe(recipe: Recipe, origin: Origin, model: nn.Module, device: str | None = None) -> str:
    """Several lines: what is trained from what, data, updates, memory, precision and processes.

    Args:
        recipe: resolved.
        origin: data and start.
        model: after `choose_trained`.
        device: "cpu" keeps off a GPU.
    """
    processes, on_gpu = process_count(), device != "cpu" and torch.cuda.is_available()
    per_update = recipe.batch_size * recipe.accumulate * processes
    passes = recipe.iterations * per_update / max(origin.records, 1)
    optim = recipe.optim
    height, width = recipe.input_hw
    lines = [
        f"train {recipe.task} at {recipe.size}, input {height}x{width}, from {_start(origin)}",
        f"data: {origin.data}, {origin.records:,} records; validation: {_validation(origin)}",
        f"{recipe.iterations:,} updates of {per_update} pictures ({recipe.batch_size} x {recipe.accumulate} passes x "
        f"{processes} processes): {passes:.3g} times through the data",
        str(budget(model, recipe)),
        f"{optim.kind}, learning rate {optim.lr:g}, layer decay {optim.layer_decay:g}; {recipe.precision}; "
        f"{_processes(recipe, processes)}; on {'the GPU' if on_gpu else 'the CPU'}",
    ]
    if recipe.precision == "bf16" and not on_gpu:
        lines.append("bfloat16 is slow on most CPUs: --set precision=float32")
    return "\n".join(lines)


def _start(origin: Origin) -> str:
    if origin.start == "nothing":
        return "nothing"
    what = "a pretrained backbone and a new head" if origin.start == "backbone" else "a checkpoint of the task"
    return f"{what} ({origin.weights or 'the usual places'})"


def _validation(origin: Origin) -> str:
    return (
        f"{origin.val}, {origin.val_records:,} records" if origin.val else "none, so nothing chooses the best weights"
    )


def _processes(recipe: Recipe, processes: int) -> str:
    if processes == 1:
        return "one process"
    how = "sharded over" if recipe.parallel == "fsdp" else "copied to"
    return f"{how} {processes} processes ({recipe.parallel})"
