"""The colours and lines with which a task's classes or points are drawn, for programs that draw them themselves.

A task without named classes or points has no such module.
"""

from __future__ import annotations

from dataclasses import dataclass

from sapiens.drawing.palette import ColourRGB
from sapiens.drawing.skeleton import Link
from sapiens.tasks import find_part


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
    module = find_part(task, "legend")
    found: Legend | None = module.LEGEND if module else None
    return found
