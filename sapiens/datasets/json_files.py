"""Reading JSON that people made: one clear line for whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sapiens.errors import InputError


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: missing, unreadable or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file or folder") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error


def read_list(path: Path) -> list[Any]:
    """The entries of a .json list, or of a .jsonl file with one JSON value a line.

    Raises:
        InputError: no such list, or an empty one.
    """
    if path.suffix == ".jsonl":
        entries = _lines(path)
    else:
        entries = read_json(path)
        if not isinstance(entries, list):
            raise InputError(f"{path}: expected a JSON list of records, got {type(entries).__name__}")
    if not entries:
        raise InputError(f"{path}: the list is empty")
    return entries


def _lines(path: Path) -> list[Any]:
    entries = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        entries.append(json.loads(line))
                    except (ValueError, RecursionError) as error:
                        raise InputError(f"{path}, line {number}: cannot be read as JSON ({error})") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    return entries
