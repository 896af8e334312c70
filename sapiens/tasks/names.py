"""What a task's classes or points are called, in the orders in which annotation files list them.

Readers place foreign annotations by these names and so need not know a task. A task without named classes or points has
no such module.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from sapiens.tasks import TASKS, get_task

Names = Mapping[str, Sequence[str | None]]
"""Lists by name. The task's own list carries the name of the annotation ("keypoints", "labels"); the others name, for
each place of a foreign order, its counterpart in the task's own list, or None where there is none."""


def get_names(task: str) -> Names:
    """The lists of a task by its name.

    Raises:
        UnknownNameError: no such task.
    """
    get_task(task)
    names: Names = importlib.import_module(f"{TASKS[task]}.names").NAMES
    return names
