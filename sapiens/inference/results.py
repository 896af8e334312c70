"""Saved results of any task."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from sapiens.errors import InputError
from sapiens.tasks import get_task
from sapiens.tasks.base import Result


def load_result(path: str | Path) -> Result:
    """Read a result written by `Result.save`, whatever its task.

    Raises:
        InputError: the file is missing or is not a saved result.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            task = json.loads(str(archive["meta"]))["task"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a saved result ({error})") from error
    return get_task(task).result.load(path)
