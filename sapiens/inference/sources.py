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
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"GIF8", b"BM")


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

    An input that does not exist is no reason to stop: it becomes a source that fails with a clear line when read.
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
    path = Path(text)
    if path.is_dir():
        _add_folder(found, path, recursive, limit)
    elif path.suffix.lower() in LIST_SUFFIXES and path.is_file():
        _add_list(found, path.read_text(encoding="utf-8").splitlines(), limit)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(Path(p) for p in glob.glob(text, recursive=True) if os.path.isfile(p))
        if not matches:
            found.sources.append(_failing(text, f"{text}: no file matches this pattern"))
        _add_files(found, [p for p in matches if is_picture(p)], _fixed_part(text), limit)
        found.skipped.extend(p for p in matches if not is_picture(p))
    else:
        _add_files(found, [path], path.parent, limit)


def _add_folder(found: Found, folder: Path, recursive: bool, limit: dict[str, int]) -> None:
    walk = sorted(folder.rglob("*") if recursive else folder.iterdir())
    files = [p for p in walk if p.is_file() and not p.name.startswith(".")]
    pictures = [p for p in files if is_picture(p)]
    found.folders.append(folder)
    found.skipped.extend(p for p in files if not is_picture(p))
    if not pictures:
        deeper = "" if recursive else " (--recursive looks into the folders below)"
        found.sources.append(_failing(str(folder), f"{folder}: no pictures in this folder{deeper}"))
    _add_files(found, pictures, folder, limit)


def _add_list(found: Found, lines: Iterable[str], limit: dict[str, int]) -> None:
    for line in lines:
        if line.strip():
            path = Path(line.strip())
            _add_files(found, [path], path.parent, limit)


def _add_stdin(found: Found, stdin: BinaryIO | None, limit: dict[str, int]) -> None:
    data = stdin.read() if stdin is not None else b""
    if data.startswith(_MAGIC):

        def read() -> Frame:
            return Frame(decode_image(data, "stdin", **limit), "stdin")

        found.sources.append(Source("stdin", read, Path("stdin")))
        found.bases.append(Path())
        return
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        found.sources.append(_failing("stdin", "stdin: neither a picture nor a list of paths, one a line"))
        return
    _add_list(found, lines, limit)


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
