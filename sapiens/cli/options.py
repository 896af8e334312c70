"""`--option NAME=VALUE`: a task's own switches, read as the types they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from sapiens.errors import InputError

if TYPE_CHECKING:
    from sapiens.tasks.base import Task

_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NONES = ("none", "null")


def task_options(texts: Sequence[str], tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
    """The options of each task, by the task's name; one that several tasks have goes to all of them.

    Raises:
        InputError: not NAME=VALUE, a name that none of the tasks has, or a value of another type.
    """
    types = {task.name: _types(task) for task in tasks}
    chosen: dict[str, dict[str, Any]] = {task.name: {} for task in tasks}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError(f"--option {text}: expected NAME=VALUE", hint=f"--option {text}=true")
        having = [task for task, known in types.items() if name in known]
        if not having:
            listed = "; ".join(f"{task}: {', '.join(known) or 'none'}" for task, known in types.items())
            raise InputError(f"unknown option {name!r}; known: {listed}")
        for task in having:
            chosen[task][name] = _value(text, value, types[task][name])
    return chosen


def _types(task: Task) -> Mapping[str, Any]:
    return get_type_hints(task.options) if isinstance(task.options, type) else {}


def _value(text: str, value: str, kind: Any) -> Any:
    """`value` as bool, float, str, or one of them or None."""
    kinds = get_args(kind) or (kind,)
    if type(None) in kinds and value.lower() in _NONES:
        return None
    if bool in kinds:
        if value.lower() not in _BOOLS:
            raise InputError(f"--option {text}: expected true or false")
        return _BOOLS[value.lower()]
    if float in kinds:
        try:
            return float(value)
        except ValueError as error:
            raise InputError(f"--option {text}: expected a number") from error
    return value
