"""The format "synth": procedural people, `synth:seed=1,count=5000,people=1-4,size=256x192,cache=DIR`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.errors import InputError


@dataclass(frozen=True)
class SynthOptions:
    """What a spec may set.

    Attributes:
        seed: of the pictures; picture k of a seed is always the same.
        count: how many.
        people: persons in a picture, "1" or "1-4".
        size: height x width in pixels.
        cache: folder to keep rendered pictures in; "": rendered whenever asked for.
    """

    seed: int = 0
    count: int = 1000
    people: str = "1"
    size: str = "256x192"
    cache: str = ""


OPTIONS = SynthOptions


def open_format(path: Path | None, options: SynthOptions, task: str) -> RenderedPeople:
    """Procedural people with every annotation, for any task.

    Raises:
        InputError: a path (there is none), or options that cannot be.
    """
    if path is not None:
        raise InputError(f"synth:{path}: expected options only, e.g. synth:seed=1,count=100")
    size_hw = _pair(options.size, r"(\d+)x(\d+)", "size", "HEIGHTxWIDTH, e.g. 256x192")
    people = _pair(options.people, r"(\d+)(?:-(\d+))?", "people", "a number or a range within 1 to 4, e.g. 1-4")
    if min(size_hw) < 16 or not 1 <= people[0] <= people[1] <= 4:
        raise InputError(
            f"synth: size {options.size}, people {options.people}: expected 16 pixels or more, 1 to 4 people"
        )
    cache = Path(options.cache).expanduser() if options.cache else None
    return RenderedPeople(RenderSpec(options.seed, options.count, size_hw, people), cache)


def _pair(text: str, pattern: str, name: str, expected: str) -> tuple[int, int]:
    match = re.fullmatch(pattern, text)
    if not match:
        raise InputError(f"synth: {name} {text!r}; expected {expected}")
    first, second = match[1], match[2] or match[1]
    return int(first), int(second)
