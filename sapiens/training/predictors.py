"""A run's weights as predictors, so that what is measured and drawn while training is what users will get."""

from __future__ import annotations

import torch

from sapiens.backbones.sizes import build_backbone, get_size
from sapiens.config import Recipe
from sapiens.inference.predictor import Predictor
from sapiens.tasks import get_task
from sapiens.tasks.base import Setup, TaskModel
from sapiens.training.checkpoint import Tensors
from sapiens.training.lesson import split_tasks

DIGEST = "in training"
"""Fingerprint of weights that change with every update."""


def make_predictors(recipe: Recipe, weights: Tensors, device: torch.device) -> dict[str, Predictor]:
    """A predictor for each task of a recipe, in float32, with the switches that the task is trained with.

    Args:
        recipe: of the run.
        weights: full weights of its network; of several tasks they share the backbone.
        device: where they compute.
    """
    names, size = split_tasks(recipe.task), get_size(recipe.size)
    placed = {name: tensor.to(device) for name, tensor in weights.items()}
    with torch.device("meta"):
        backbone = build_backbone(size.name, out_type="featmap")
        heads = {name: get_task(name).build_head(size.name, size.embed_dims) for name in names}
    backbone.load_state_dict(_below("backbone.", placed), assign=True)
    predictors = {}
    for name, head in heads.items():
        head.load_state_dict(_below(f"decode_heads.{name}." if len(names) > 1 else "decode_head.", placed), assign=True)
        task, options = get_task(name), recipe.parts.get(name, recipe).options
        predictors[name] = Predictor(
            task,
            TaskModel(backbone, head),
            Setup(recipe.input_hw, recipe.compat, task.options(**options)),
            name=f"sapiens2_{size.name}_{name}",
            digest=DIGEST,
            batch_size=1 if device.type == "cpu" else recipe.batch_size,
        )
    return predictors


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
