"""The network a run starts from: a checkpoint, a pretrained backbone with new heads, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import nn

from sapiens.backbones.sizes import build_backbone, get_size
from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.tasks import get_task
from sapiens.tasks.base import JointModel, Task, TaskModel
from sapiens.training.lesson import split_tasks
from sapiens.training.tune import choose_trained

Start = Literal["task", "backbone", "nothing"]

QUIET = 0.1
"""Factor on the last layer of a new head: full-sized random outputs would first of all shake the backbone."""


def make_model(recipe: Recipe, start: Start = "nothing", weights: str | Path | None = None) -> nn.Module:
    """Build a recipe's network on the CPU, in float32, ready to be trained.

    Args:
        recipe: task or tasks, size, seed and which weights are trained.
        start: "task": a checkpoint of the same task, or for several tasks a file of several, where tasks that it lacks
            get new heads; "backbone": a pretrained backbone with new heads; "nothing".
        weights: the file or folder; default as `sapiens.load` finds it.

    Returns:
        `TaskModel` for one task, `JointModel` for several.

    Raises:
        WeightsError: no such weights, or they do not fit.
        UnknownNameError: no such task or size.
        InputError: an unknown `tune` or `start`.
    """
    if start not in ("task", "backbone", "nothing"):
        raise InputError(f"start: expected task, backbone or nothing, got {start!r}")
    tasks, size = [get_task(name) for name in split_tasks(recipe.task)], get_size(recipe.size).name
    torch.manual_seed(recipe.seed)
    model: nn.Module
    if start == "nothing":
        model = _join(tasks, build_backbone(size, out_type="featmap"), _new_heads(tasks, size))
    elif start == "backbone":
        with torch.device("meta"):
            backbone = build_backbone(size, out_type="featmap")
        _fill(backbone, "pretrain", size, weights)
        model = _join(tasks, backbone, _new_heads(tasks, size))
    else:
        model = _from_checkpoint(tasks, size, weights)
    choose_trained(model, recipe.tune)
    backbone_: Any = model.backbone
    backbone_.set_gradient_checkpointing(recipe.checkpointing)
    return model


def _from_checkpoint(tasks: list[Task], size: str, weights: str | Path | None) -> nn.Module:
    """The network of a checkpoint; of several tasks on one backbone, those that the file lacks get new heads."""
    from sapiens.weights import identify, locate

    path = locate(",".join(task.name for task in tasks), size, weights)
    stored = identify(path).task.split(",")
    known = [task for task in tasks if task.name in stored] if len(tasks) > 1 and len(stored) > 1 else tasks
    with torch.device("meta"):
        model: Any = _join(known, build_backbone(size, out_type="featmap"), _heads(known, size))
    _fill(model, ",".join(task.name for task in known), size, path)
    if len(tasks) == 1:
        return cast(nn.Module, model)
    heads = dict(model.decode_heads) if isinstance(model, JointModel) else {known[0].name: model.decode_head}
    heads |= _new_heads([task for task in tasks if task not in known], size)
    return JointModel(model.backbone, {task.name: heads[task.name] for task in tasks})


def _join(tasks: list[Task], backbone: nn.Module, heads: dict[str, nn.Module]) -> nn.Module:
    return TaskModel(backbone, heads[tasks[0].name]) if len(tasks) == 1 else JointModel(backbone, heads)


def _heads(tasks: list[Task], size: str) -> dict[str, nn.Module]:
    width = get_size(size).embed_dims
    return {task.name: task.build_head(size, width) for task in tasks}


def _new_heads(tasks: list[Task], size: str) -> dict[str, nn.Module]:
    heads = _heads(tasks, size)
    for name, head in heads.items():
        last: Any = getattr(head, f"conv_{name}")
        with torch.no_grad():
            last.weight.mul_(QUIET)
    return heads


def _fill(model: nn.Module, task: str, size: str, weights: str | Path | None) -> None:
    from sapiens.weights import load_model, locate

    # Copied: training writes to its weights, and may well write its export over this very file.
    load_model(model, locate(task, size, weights), task=task, size=size, copy=True)
    model.requires_grad_(True)
