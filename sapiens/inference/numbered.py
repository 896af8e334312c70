"""Numbered pictures: `plate.%04d.png`, `plate.####.png`, and the numbers in file names."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path

_PLACE = re.compile(r"%(0?)(\d*)d|(#+)")
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")


def pattern_parts(name: str) -> tuple[str, int, str] | None:
    """Prefix, least digits and suffix of a name with one `%d`, `%04d` or `####` in it; None for other names."""
    places = list(_PLACE.finditer(name))
    if len(places) != 1:
        return None
    (place,) = places
    digits = len(place[3]) if place[3] else int(place[2] or 1) if place[1] else 1
    return name[: place.start()], digits, name[place.end() :]


def find_numbered(pattern: Path) -> dict[int, Path]:
    """Files that a pattern like `plates/plate.%04d.png` names, by number, in order.

    As in `printf`, a number has at least so many digits: `%04d` takes 0001 and 12345, not 001.
    """
    parts = pattern_parts(pattern.name)
    assert parts is not None, "a pattern"
    prefix, digits, suffix = parts
    form = re.compile(rf"{re.escape(prefix)}(\d{{{digits},}}){re.escape(suffix)}")
    try:
        names = os.listdir(pattern.parent)
    except OSError:
        return {}
    found = [(match[1], match[0]) for name in names if (match := form.fullmatch(name))]
    # Of 7 and 0007, both right for %d, the longer is left: numbers are unique.
    return {int(number): pattern.with_name(name) for number, name in sorted(found, key=lambda f: (int(f[0]), f[0]))}


def as_numbers(paths: Sequence[Path]) -> list[int]:
    """A number for each file: the last in its name where these are rising throughout, else its position."""
    found = [_LAST_NUMBER.search(path.stem) for path in paths]
    prefixes = {path.stem[: match.start()] for path, match in zip(paths, found, strict=True) if match}
    numbers = [int(match[1]) for match in found if match]
    rising = all(a < b for a, b in itertools.pairwise(numbers))
    if len(numbers) == len(paths) and rising and len(prefixes) == 1:
        return numbers
    return list(range(len(paths)))
