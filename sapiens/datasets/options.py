"""Specs of data: `[FORMAT:]PATH[,OPTION=VALUE...]`, and options as typed dataclasses."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sapiens.config import apply
from sapiens.errors import InputError, UnknownNameError

O = TypeVar("O")  # noqa: E741 - a type
PATHLESS = ("synth",)
"""Formats that read no files."""
_OPTION = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """Where data is and how to read it.

    Attributes:
        text: as it was typed, for errors.
        format: name of a format; "" where the path decides.
        path: file, folder or pattern; "" where the format needs none.
        options: as typed, by name.
    """

    text: str
    format: str
    path: str
    options: Mapping[str, Any]


def parse_spec(text: str, formats: Collection[str]) -> Spec:
    """Take a spec apart; a path may hold colons and commas.

    Raises:
        UnknownNameError: a format that does not exist, before something that is no path.
        InputError: nothing at all.
    """
    if not text.strip():
        raise InputError("data: an empty spec; expected a path, or FORMAT:PATH", hint=f"formats: {', '.join(formats)}")
    if Path(text).exists():
        return Spec(text, "", text, {})
    head, colon, rest = text.partition(":")
    if not colon and head in formats:
        return Spec(text, head, "", {})
    if colon and head not in formats:
        # One letter is a drive of Windows.
        if re.fullmatch(r"[a-z][a-z0-9-]+", head) and not Path(head).exists():
            raise UnknownNameError("data format", head, formats)
        head, rest = "", text
    elif not colon:
        head, rest = "", text
    path, options = _split(rest, pathless=head in PATHLESS)
    return Spec(text, head, path, options)


def _split(text: str, pathless: bool) -> tuple[str, dict[str, str]]:
    """Options stand at the end; what comes before them is the path, with its commas."""
    pieces = text.split(",")
    options: dict[str, str] = {}
    while (
        len(pieces) > (not pathless)
        and (match := _OPTION.fullmatch(pieces[-1]))
        and not Path(",".join(pieces)).exists()
    ):
        options[match[1]] = match[2].strip()
        pieces.pop()
    return ",".join(pieces).strip(), dict(reversed(options.items()))


def make_options(kind: type[O], values: Mapping[str, Any], where: str) -> O:
    """An options dataclass from texts or from values of a TOML or JSON file.

    Raises:
        UnknownNameError: an option the format does not have; names the nearest.
        InputError: a value of another type.
    """
    hints = typing.get_type_hints(kind)
    typed = {name: _typed(value, hints.get(name)) for name, value in values.items()}
    unknown = next((name for name in values if name not in hints), None)
    if unknown is not None:
        if not hints:
            raise InputError(f"{where}: takes no options, got {unknown}")
        raise UnknownNameError(f"option of {where}", unknown, hints)
    return apply(kind(), typed, where=where)


def _typed(value: Any, hint: Any) -> Any:
    """A folder called "2017" is a text, a count of "2017" a number."""
    if not isinstance(value, str):
        return str(value) if hint is str and isinstance(value, int | float) else value
    if hint in (bool, int, float):
        try:
            parsed = json.loads(value.lower())
        except ValueError:
            return value
        return bool(parsed) if hint is bool and parsed in (0, 1) else parsed
    return value
