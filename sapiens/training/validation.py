"""Validation while training: the metrics of every task of a run, and what chooses its best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.evaluation import evaluate
from sapiens.imaging.sample import Sample
from sapiens.inference.predictor import Predictor
from sapiens.tasks.learning import get_learning
from sapiens.training.checkpoint import Tensors
from sapiens.training.predictors import make_predictors

FLOOR = 1e-4
"""A headline metric counts as at least this in the score: a task that can do nothing yet must not hide the others."""


class Validation:
    """Measures weights on a set of pictures, with the code of `sapiens evaluate`.

    Args:
        recipe: of the run.
        samples: pictures with the annotations of all its tasks.
        device: where predictions are computed.
    """

    def __init__(self, recipe: Recipe, samples: Sequence[Sample], device: torch.device) -> None:
        self.recipe, self.samples, self.device = recipe, samples, device

    def __call__(self, weights: Tensors) -> dict[str, float]:
        """Metrics by name; in a joint run "task/name", and "score"."""
        predictors = make_predictors(self.recipe, weights, self.device)
        found = {task: self._measure(predictor) for task, predictor in predictors.items()}
        if len(found) == 1:
            return dict(*found.values())
        named = {f"{task}/{name}": value for task, metrics in found.items() for name, value in metrics.items()}
        return {"score": score(found), **named}

    def _measure(self, predictor: Predictor) -> dict[str, float]:
        """A task's metrics over all classes and the like, and how many pictures could not be measured, if any."""
        report = evaluate(predictor, self.samples, shown=0)
        if not report.count:
            first = report.failures[0]
            raise InputError(f"validation: no picture can be measured for {predictor.task.name}; {first.message}")
        metrics = {name: value for name, value in report.metrics.items() if "/" not in name}
        return metrics | ({"failed": float(len(report.failures))} if report.failures else {})


def score(found: Mapping[str, Mapping[str, float]]) -> float:
    """Geometric mean of the tasks' headline metrics, those of which low values are good inverted.

    Args:
        found: metrics by task.

    Returns:
        a positive number, high is good; NaN if a headline is.
    """
    logs = []
    for task, metrics in found.items():
        name, way = get_learning(task).headline
        value = metrics[name]
        logs.append((1 if way == "high" else -1) * math.log(max(value, FLOOR)) if value == value else math.nan)
    return math.exp(sum(logs) / len(logs))
