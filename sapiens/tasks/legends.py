"""The colours and lines with which a task's classes or points are drawn, for programs that draw them themselves.

A task without named classes or points has no such module.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from sapiens.drawing.palette import ColourRGB
from sapiens.drawing.skeleton import Link
from sapiens.tasks import TASKS, get_task


@dataclass(frozen=True)
class Legend:
    """How a task's classes or points are drawn.

    Attributes:
        array: which array of a result they belong to.
        names: by index.
        colours_rgb: by index.
        links: lines between points.
        sets: smaller sets of them, by name: the indices.
    """

    array: str
    names: tuple[str, ...]
    colours_rgb: tuple[ColourRGB, ...]
    links: tuple[Link, ...] = ()
    sets: tuple[tuple[str, tuple[int, ...]], ...] = ()


def get_legend(task: str) -> Legend | None:
    """The legend of a task by its name, or None if it has none.

    Raises:
        UnknownNameError: no such task.
    """
    get_task(task)
    module = f"{TASKS[task]}.legend"
    if importlib.util.find_spec(module) is None:
        return None
    legend: Legend = importlib.import_module(module).LEGEND
    return legend
