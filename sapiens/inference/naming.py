"""Output names: they keep the input's name and folder, never collide, and never land in an input folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sapiens.errors import InputError
from sapiens.inference.clips import Clip
from sapiens.inference.item import Source


def output_stems(sources: Sequence[Source | Clip], bases: Iterable[Path]) -> list[Path]:
    """A relative path without suffix for every picture and clip, unique within the run.

    Folders are kept relative to the common parent of the inputs: `a/x.jpg b/x.jpg` give `a/x` and `b/x`. Only the last
    suffix is cut (`plate.0001.png` gives `plate.0001`), and not even that where two inputs differ by nothing else
    (`x.jpg`, `x.png`); the same file named twice gets a number. Names are compared without case, for file systems that
    do not tell it.
    """
    root = _common(bases)
    full = [_relative(source, root) for source in sources]
    cut = [path.with_name(path.stem) for path in full]
    shared = Counter(_key(path) for path in cut)
    taken: set[str] = set()
    stems: list[Path] = []
    for whole, short in zip(full, cut, strict=True):
        wanted = short if shared[_key(short)] == 1 else whole
        stem, number = wanted, 1
        while _key(stem) in taken:
            number += 1
            stem = wanted.with_name(f"{wanted.name}_{number}")
        taken.add(_key(stem))
        stems.append(stem)
    return stems


def check_output(out: Path, folders: Iterable[Path]) -> None:
    """Refuse an output folder inside a folder that is scanned for input: a second run would read its own output.

    Raises:
        InputError: names both folders.
    """
    target = Path(os.path.abspath(out))
    for folder in folders:
        scanned = Path(os.path.abspath(folder))
        if target == scanned or scanned in target.parents:
            raise InputError(
                f"{out}: lies inside the input folder {folder}; nothing is written there",
                hint="choose an output folder outside it",
            )


def check_beside(written: Iterable[Path], sources: Iterable[Source | Clip]) -> None:
    """Refuse to write into a folder that an input picture lies in: a result may have the very name of a picture.

    Args:
        written: folders that results will be written to.
        sources: the inputs.

    Raises:
        InputError: names the folder and one of the pictures in it.
    """
    holding = dict(_places(sources))
    by_place = {os.path.realpath(folder): picture for folder, picture in holding.items()}
    for folder in written:
        picture = by_place.get(os.path.realpath(folder))
        if picture is not None:
            raise InputError(
                f"{folder}: results would be written beside the input {picture}",
                hint="choose another output folder",
            )


def _common(bases: Iterable[Path]) -> Path:
    absolute = [os.path.abspath(base) for base in bases]
    try:
        return Path(os.path.commonpath(absolute)) if absolute else Path()
    except ValueError:  # different drives have no common parent
        return Path()


def _places(sources: Iterable[Source | Clip]) -> Iterator[tuple[Path, Path]]:
    """The folder each input lies in, and the input."""
    for source in sources:
        if source.path is not None and source.path.name:
            stills = isinstance(source, Clip) and source.stills
            yield source.path if stills else source.path.parent, source.path


def _relative(source: Source | Clip, root: Path) -> Path:
    named = source.label if isinstance(source, Clip) else source.path
    path = Path(os.path.abspath(named)) if named is not None else Path(source.id)
    if root in path.parents:
        return path.relative_to(root)
    return Path(path.name or "input")


def _key(path: Path) -> str:
    return path.as_posix().casefold()
