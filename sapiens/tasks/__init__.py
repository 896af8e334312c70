"""The table of tasks: name -> module, imported on demand so that asking for one never loads the others."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from sapiens.errors import UnknownNameError

if TYPE_CHECKING:
    from sapiens.tasks.base import Task

TASKS: dict[str, str] = {
    "pose": "sapiens.tasks.pose",
    "seg": "sapiens.tasks.seg",
    "normal": "sapiens.tasks.normal",
    "pointmap": "sapiens.tasks.pointmap",
    "matting": "sapiens.tasks.matting",
    "albedo": "sapiens.tasks.albedo",
}


def get_task(name: str) -> Task:
    """Import a task by name.

    Raises:
        UnknownNameError: names the nearest task.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    task: Task = importlib.import_module(TASKS[name]).TASK
    return task


def find_part(name: str, part: str) -> Any:
    """A file of a task's folder that not every task has, as a module; None where it is missing.

    Raises:
        UnknownNameError: no such task.
    """
    get_task(name)
    module = f"{TASKS[name]}.{part}"
    return importlib.import_module(module) if importlib.util.find_spec(module) else None
