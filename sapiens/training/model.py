"""The network a run starts from: a task checkpoint, a pretrained backbone with a new head, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from sapiens.backbones.sizes import build_backbone, get_size
from sapiens.config import Recipe
from sapiens.tasks import get_task
from sapiens.tasks.base import TaskModel, build_model
from sapiens.training.tune import choose_trained

Start = Literal["task", "backbone", "nothing"]


def make_model(recipe: Recipe, start: Start = "nothing", weights: str | Path | None = None) -> TaskModel:
    """Build a recipe's network on the CPU, in float32, ready to be trained.

    Args:
        recipe: task, size, seed and which weights are trained.
        start: "task": a checkpoint of the same task; "backbone": a pretrained backbone, the head is new; "nothing".
        weights: the file or folder; default as `sapiens.load` finds it.

    Raises:
        WeightsError: no such weights, or they do not fit.
        UnknownNameError: no such task or size.
        InputError: an unknown `tune`.
    """
    task, size = get_task(recipe.task), get_size(recipe.size)
    torch.manual_seed(recipe.seed)
    if start == "nothing":
        model = build_model(task, size.name)
    elif start == "backbone":
        with torch.device("meta"):
            backbone = build_backbone(size.name, out_type="featmap")
        _fill(backbone, "pretrain", size.name, weights)
        model = TaskModel(backbone, task.build_head(size.name, size.embed_dims))
    else:
        with torch.device("meta"):
            model = build_model(task, size.name)
        _fill(model, task.name, size.name, weights)
    choose_trained(model, recipe.tune)
    backbone_: Any = model.backbone
    backbone_.set_gradient_checkpointing(recipe.checkpointing)
    return model


def _fill(model: torch.nn.Module, task: str, size: str, weights: str | Path | None) -> None:
    from sapiens.weights import load_model, locate

    # Copied: training writes to its weights, and may well write its export over this very file.
    load_model(model, locate(task, size, weights), task=task, size=size, copy=True)
    model.requires_grad_(True)
