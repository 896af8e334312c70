"""Recipes by name: of one task, or of several tasks on one backbone."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from sapiens.backbones.sizes import get_size
from sapiens.config import Optim, Recipe
from sapiens.tasks.learning import get_learning
from sapiens.training.lesson import split_tasks
from sapiens.training.views import ViewConfig

JOINT_WEIGHTS = {"pose": 1.0, "seg": 1.0, "normal": 0.2, "pointmap": 0.2, "matting": 0.5, "albedo": 1.0}
"""Of the tasks' losses in a joint run, so that all start at a similar size."""

SCORE = "score"
"""What chooses the best weights of a joint run: the geometric mean of the tasks' headline metrics, those of which low
values are good inverted. So a gain of a tenth in one task makes up for a loss of a tenth in another."""


def get_recipe(tasks: str, size: str) -> Recipe:
    """The settings of a task, or of several with commas between.

    A joint run is ours: the released models were trained one by one. Its settings are those of nano; for a larger size
    set the learning rate and the number of iterations yourself.

    Raises:
        UnknownNameError: no such task or size.
        InputError: a task twice.
    """
    names = split_tasks(tasks)
    if len(names) == 1:
        learning = get_learning(names[0])
        recipe: Recipe = learning.recipe(size)
        best, best_is = learning.headline
        return dataclasses.replace(recipe, best=best, best_is=cast(Any, best_is))
    spec = get_size(size)
    parts = {
        name: dataclasses.replace(get_learning(name).recipe(size), weight=JOINT_WEIGHTS.get(name, 1.0))
        for name in names
    }
    return Recipe(
        task=",".join(names),
        size=spec.name,
        iterations=8000,
        batch_size=12,
        optim=Optim(kind="muon", lr=2e-3, weight_decay=0.05, clip_norm=0, warmup_iters=200),
        augment=ViewConfig(),
        input_hw=spec.input_hw,
        parts=parts,
        ema=0.998,
        workers=1,
        log_every=20,
        save_every=200,
        best=SCORE,
    )
