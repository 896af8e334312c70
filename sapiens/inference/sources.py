"""What users name as input: files, folders, globs, lists of paths, standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.read import IMAGE_SUFFIXES, decode_image, read_image
from sapiens.inference.item import Source

LIST_SUFFIXES = (".txt", ".lst")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", b"BM")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some editors put it in front of UTF-8; it is no part of the first path."""


@dataclass(frozen=True)
class Found:
    """What the inputs amount to.

    Attributes:
        sources: one per picture, and one per input that cannot be read (its error comes when it is read).
        bases: the folders that inputs were named relative to; output names are built below their common parent.
        folders: folders that were scanned; nothing may be written into them.
        skipped: files in scanned folders that are not pictures.
    """

    sources: list[Source] = field(default_factory=list)
    bases: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def find_sources(
    inputs: Iterable[str],
    *,
    recursive: bool = False,
    stdin: BinaryIO | None = None,
    max_pixels: int | None = None,
) -> Found:
    """Expand what a user typed.

    Args:
        inputs: files, folders, glob patterns, .txt lists with one path a line (relative to the working folder, as
            for any Unix tool), or "-" for standard input: one picture's bytes, or a list of paths.
        recursive: look into folders below a folder.
        stdin: where "-" reads.
        max_pixels: largest picture to decode; default the reader's own limit.

    An input that does not exist, cannot be read or holds no picture is no reason to stop: it becomes a source that
    fails with a clear line when read.
    """
    found = Found()
    limit = {} if max_pixels is None else {"max_pixels": max_pixels}
    for text in inputs:
        if text == "-":
            _add_stdin(found, stdin, limit)
        else:
            _add_input(found, text, recursive, limit)
    return found


def _add_input(found: Found, text: str, recursive: bool, limit: dict[str, int]) -> None:
    # os.path's questions answer False where pathlib's raise: below a folder that may not be entered.
    path = Path(text)
    if os.path.isdir(path):
        _add_folder(found, path, recursive, limit)
    elif path.suffix.lower() in LIST_SUFFIXES and os.path.isfile(path):
        _add_list_file(found, path, limit)
    elif not os.path.lexists(path) and glob.has_magic(text):
        matches = sorted(Path(p) for p in glob.glob(text, recursive=True) if not os.path.isdir(p))
        pictures = [p for p in matches if is_picture(p)]
        if not pictures:
            what = (
                "none of the files that match this pattern is a picture" if matches else "no file matches this pattern"
            )
            found.sources.append(_failing(text, f"{text}: {what}"))
        _add_files(found, pictures, _fixed_part(text), limit)
        found.skipped.extend(p for p in matches if not is_picture(p))
    else:
        _add_files(found, [path], path.parent, limit)


def _add_folder(found: Found, folder: Path, recursive: bool, limit: dict[str, int]) -> None:
    files, unreadable = _scan(folder, recursive)
    pictures = [p for p in files if is_picture(p)]
    found.folders.append(folder)
    found.skipped.extend(p for p in files if not is_picture(p))
    for path, reason in unreadable:
        found.sources.append(_failing(str(path), f"{path}: this folder cannot be read ({reason})"))
    if not pictures and not unreadable:
        deeper = "" if recursive else " (--recursive looks into the folders below)"
        found.sources.append(_failing(str(folder), f"{folder}: no pictures in this folder{deeper}"))
    _add_files(found, pictures, folder, limit)


def _scan(folder: Path, recursive: bool) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Sorted files of a folder, hidden ones left out; and the folders that cannot be listed, with the reason.

    A link that leads nowhere counts as a file: it fails with its name when read, and is not passed over.
    """
    files: list[Path] = []
    unreadable: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        unreadable.append((Path(error.filename), error.strerror or str(error)))

    for parent, folders, names in os.walk(folder, onerror=note):
        files.extend(Path(parent, name) for name in names if not name.startswith("."))
        if not recursive:
            folders.clear()
    return sorted(files), sorted(unreadable)


def _add_list_file(found: Found, path: Path, limit: dict[str, int]) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        found.sources.append(_failing(str(path), f"{path}: this list cannot be read ({error.strerror or error})"))
        return
    _add_list(found, data, str(path), "expected a list of paths, one a line", limit)


def _add_list(found: Found, data: bytes, name: str, expected: str, limit: dict[str, int]) -> None:
    """Paths, one a line, in the encoding of file names: any name that a folder can hold can be listed."""
    try:
        lines = os.fsdecode(data.removeprefix(_BYTE_ORDER_MARK)).splitlines() if b"\0" not in data else None
    except UnicodeDecodeError:  # where names are not bytes
        lines = None
    if lines is None:
        found.sources.append(_failing(name, f"{name}: {expected}"))
        return
    paths = [Path(line.strip()) for line in lines if line.strip()]
    if not paths:
        found.sources.append(_failing(name, f"{name}: empty; {expected}"))
    for path in paths:
        _add_files(found, [path], path.parent, limit)


def _add_stdin(found: Found, stdin: BinaryIO | None, limit: dict[str, int]) -> None:
    data = stdin.read() if stdin is not None else b""
    if data.startswith(_MAGIC):

        def read() -> Frame:
            return Frame(decode_image(data, "stdin", **limit), "stdin")

        found.sources.append(Source("stdin", read, Path("stdin")))
        found.bases.append(Path())
        return
    _add_list(found, data, "stdin", "expected a picture, or a list of paths, one a line", limit)


def _add_files(found: Found, paths: list[Path], base: Path, limit: dict[str, int]) -> None:
    found.bases.append(base)
    found.sources.extend(Source(str(path), _reader(path, limit), path) for path in paths)


def _reader(path: Path, limit: dict[str, int]) -> Callable[[], Frame]:
    return lambda: Frame(read_image(path, **limit), str(path), path=path)


def _failing(name: str, message: str) -> Source:
    def read() -> Frame:
        raise InputError(message)

    return Source(name, read)


def is_picture(path: Path) -> bool:
    """Whether the suffix is one that pictures have."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _fixed_part(pattern: str) -> Path:
    """The folders of a glob pattern before its first wildcard."""
    parts: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
