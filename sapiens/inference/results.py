"""Saved results of any task."""

from __future__ import annotations

from pathlib import Path

from sapiens.tasks import get_task
from sapiens.tasks.base import Result, read_saved


def load_result(path: str | Path) -> Result:
    """Read a result written by `Result.save`, whatever its task.

    Raises:
        InputError: the file is missing or is not a saved result.
    """
    arrays, meta = read_saved(Path(path))
    return get_task(meta.task).result.from_arrays(arrays, meta)
