"""What a page or a program needs to know about a task to show its results."""

from __future__ import annotations

import dataclasses
from typing import Any

from sapiens.app.answers import kinds, media_type
from sapiens.app.options import option_schemas
from sapiens.tasks import TASKS
from sapiens.tasks.base import MaskedResult, Task
from sapiens.tasks.legends import get_legend


def task_words(task: Task) -> dict[str, Any]:
    """The answer of `GET /v1/tasks/{task}`."""
    legend = get_legend(task.name) if task.name in TASKS else None
    return {
        "task": task.name,
        "title": task.title,
        "needs_people": task.top_down,
        "takes_mask": issubclass(task.result, MaskedResult),
        "answers": {kind: media_type(task, kind) for kind in kinds(task)},
        "options": option_schemas(task),
        "legend": dataclasses.asdict(legend) if legend is not None else None,
    }
