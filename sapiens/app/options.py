"""A task's own switches in requests: what JSON they are, and their values with a request's."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sapiens.app.features import served_task
from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks.base import Task

_JSON_TYPES = {bool: "boolean", float: "number", str: "string", int: "integer", type(None): "null"}
_LARGEST = 1e9
"""Numbers beyond are no setting of anything, and may be no float."""


def option_schemas(task: Task) -> dict[str, dict[str, Any]]:
    """JSON schema and default of every switch, by name."""
    if not _hints(task.name):
        return {}
    defaults = task.options()
    return {name: _schema(hint) | {"default": getattr(defaults, name)} for name, hint in _hints(task.name).items()}


def make_options(task: Task, size: str, given: Iterable[tuple[str, Any]]) -> Any:
    """The task's options at a size with those of a request.

    Raises:
        UnknownNameError: an option that the task lacks, or a word that it does not know.
        InputError: a value of another type, or one the task refuses.
    """
    hints = _hints(task.name)
    for name, value in given:
        if name not in hints:
            raise UnknownNameError(f"option of {task.name}", name, hints)
        _check(name, value, hints[name])
    return task.options(**{**task.size_options.get(size, {}), **dict(given)})


@functools.cache
def _hints(task: str) -> dict[str, Any]:
    options = served_task(task).options
    return get_type_hints(options) if isinstance(options, type) else {}


def _schema(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    names = [_JSON_TYPES[kind] for kind in get_args(hint) or (hint,)]
    numbers = {"minimum": -_LARGEST, "maximum": _LARGEST} if "number" in names else {}
    return {"type": names[0] if len(names) == 1 else names, **numbers}


def _check(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UnknownNameError(f"{name}", str(value), get_args(hint))
        return
    kinds = get_args(hint) or (hint,)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    if not ((is_number and float in kinds) or (type(value) in kinds and float is not type(value))):
        expected = " or ".join(_JSON_TYPES[kind] for kind in kinds)
        raise InputError(f"option {name}: expected {expected}, got {type(value).__name__}")
