"""Steady keypoints in clips: a filter for every person, and what it did, in numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from sapiens.inference.item import Item
from sapiens.tasks.base import Task
from sapiens.tracking.one_euro import OneEuro, SmoothingReport, Smoothness
from sapiens.tracking.tracker import LOST_AFTER_S


def has_keypoints(task: Task) -> bool:
    """Whether a task's results have keypoints and the people they belong to."""
    fields = {field.name for field in dataclasses.fields(task.result)}
    return {"keypoints", "ids", "boxes_xyxy"} <= fields


class Steadier:
    """Smooths the keypoints of a clip's results, person by person; call it with finished items, in order.

    Scores and boxes stay as they are.

    Attributes:
        report: jitter before and after, and lag, over all clips so far.
    """

    def __init__(self, smoothness: Smoothness = Smoothness()) -> None:  # noqa: B008 - frozen
        self._smoothness = smoothness
        self._clip: object = None
        self._filters: dict[int, OneEuro] = {}
        self.report = SmoothingReport()

    def __call__(self, item: Item) -> None:
        """Replace the item's results that have keypoints and ids."""
        if item.source.clip is not self._clip:
            self._clip = item.source.clip
            self._forget(list(self._filters))
        time_s = item.take().time_s
        if self._clip is None or time_s is None:
            return
        self._forget([n for n, f in self._filters.items() if time_s - f.time_s > LOST_AFTER_S])
        for name, result in item.results.items():
            values: Any = result
            if getattr(result, "ids", None) is not None and hasattr(result, "keypoints"):
                item.results[name] = self._smooth(values, time_s)

    def _smooth(self, result: Any, time_s: float) -> Any:
        keypoints = result.keypoints.copy()
        for k, person in enumerate(result.ids.tolist()):
            steady = self._filters.setdefault(person, OneEuro(self._smoothness))
            height = float(result.boxes_xyxy[k, 3] - result.boxes_xyxy[k, 1])
            smooth = steady(result.keypoints[k], time_s, height)
            self.report.add(person, time_s, result.keypoints[k], smooth)
            keypoints[k] = smooth.astype(np.float32)
        return dataclasses.replace(result, keypoints=keypoints)

    def _forget(self, people: list[int]) -> None:
        for person in people:
            del self._filters[person]
            self.report.drop(person)
