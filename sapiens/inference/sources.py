"""What users name as input: files, folders, globs, patterns, lists of paths, streams, cameras, standard input."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sapiens.errors import InputError
from sapiens.imaging.exr import EXR_SUFFIX, read_exr
from sapiens.imaging.frame import Frame
from sapiens.imaging.frame_range import FrameRange
from sapiens.imaging.read import IMAGE_SUFFIXES, decode_image, read_image
from sapiens.imaging.video import VIDEO_SUFFIXES, is_network, is_video
from sapiens.inference.clips import Clip, camera, movie, network_stream, picture_sequence
from sapiens.inference.item import Source
from sapiens.inference.numbered import as_numbers, find_numbered, pattern_parts

LIST_SUFFIXES = (".txt", ".lst")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", b"BM")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some editors put it in front of UTF-8; it is no part of the first path."""


@dataclass(frozen=True)
class Found:
    """What the inputs amount to.

    Attributes:
        sources: one per picture or clip, and one per input that cannot be read (its error comes when it is read).
        bases: the folders that inputs were named relative to; output names are built below their common parent.
        folders: folders that were scanned; nothing may be written into them.
        skipped: files in scanned folders that are neither pictures nor clips.
        notes: what else there is to say, e.g. numbers missing in a sequence.
    """

    sources: list[Source | Clip] = field(default_factory=list)
    bases: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def clips(self) -> list[Clip]:
        """The inputs that are clips."""
        return list(self.numbered_clips.values())

    @property
    def numbered_clips(self) -> dict[int, Clip]:
        """The inputs that are clips, by their position."""
        return {entry: source for entry, source in enumerate(self.sources) if isinstance(source, Clip)}


@dataclass(frozen=True)
class Wishes:
    """How inputs are to be read.

    Attributes:
        max_pixels: largest picture to decode; None: the reader's own limit.
        frames: which frames of clips to take.
        fps: pictures per second of numbered pictures.
        sequence: take pictures that lie in one folder as the frames of one clip.
    """

    max_pixels: int | None = None
    frames: FrameRange = FrameRange()  # noqa: RUF009 - frozen
    fps: float = 25.0
    sequence: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fps < float("inf"):
            raise InputError(f"fps {self.fps}: expected a positive number of frames per second")


def find_sources(
    inputs: Iterable[str],
    *,
    recursive: bool = False,
    stdin: BinaryIO | None = None,
    max_pixels: int | None = None,
    frames: FrameRange | None = None,
    fps: float = 25.0,
    sequence: bool = False,
) -> Found:
    """Expand what a user typed.

    Args:
        inputs: files (pictures, and clips that PyAV reads), folders, glob patterns, numbered pictures
            ("plate.%04d.png"), .txt lists with one path a line (relative to the working folder, as for any Unix tool),
            addresses of streams ("rtsp://..."), "camera:0", or "-" for standard input: one picture's bytes, or a list
            of paths.
        recursive: look into folders below a folder.
        stdin: where "-" reads.
        max_pixels: largest picture to decode; default the reader's own limit.
        frames: which frames of clips and numbered pictures to take; default all.
        fps: pictures per second of numbered pictures.
        sequence: take pictures that lie in one folder as the frames of one clip, in their order.

    An input that does not exist, cannot be read or holds no picture is no reason to stop: it becomes a source that
    fails with a clear line when read.
    """
    found = Found()
    wishes = Wishes(max_pixels, frames or FrameRange(), fps, sequence)
    for text in inputs:
        if text == "-":
            _add_stdin(found, stdin, wishes)
        else:
            _add_input(found, text, recursive, wishes)
    if sequence:
        found.sources[:] = _joined(found, wishes)
    if frames is not None and not found.clips:
        raise InputError(
            f"frames {frames}: there is no clip among the inputs",
            hint="--sequence takes the pictures of a folder as one",
        )
    return found


def _add_input(found: Found, text: str, recursive: bool, wishes: Wishes) -> None:
    # os.path's questions answer False where pathlib's raise: below a folder that may not be entered.
    path = Path(text)
    number = _camera_number(text)
    if is_network(text):
        _add_clip(found, network_stream(text, wishes.frames), Path())
    elif number is not None:
        _add_clip(found, camera(number, wishes.frames), Path())
    elif os.path.isdir(path):
        _add_folder(found, path, recursive, wishes)
    elif path.suffix.lower() in LIST_SUFFIXES and os.path.isfile(path):
        _add_list_file(found, path, wishes)
    elif not os.path.lexists(path) and pattern_parts(path.name) is not None:
        _add_numbered(found, path, wishes)
    elif not os.path.lexists(path) and glob.has_magic(text):
        matches = sorted(Path(p) for p in glob.glob(text, recursive=True) if not os.path.isdir(p))
        pictures = [p for p in matches if _is_readable(p)]
        if not pictures:
            what = (
                "none of the files that match this pattern is a picture" if matches else "no file matches this pattern"
            )
            found.sources.append(_failing(text, f"{text}: {what}"))
        _add_files(found, pictures, _fixed_part(text), wishes)
        found.skipped.extend(p for p in matches if not _is_readable(p))
    else:
        _add_files(found, [path], path.parent, wishes)


def _add_folder(found: Found, folder: Path, recursive: bool, wishes: Wishes) -> None:
    files, unreadable = _scan(folder, recursive)
    pictures = [p for p in files if _is_readable(p)]
    found.folders.append(folder)
    found.skipped.extend(p for p in files if not _is_readable(p))
    for path, reason in unreadable:
        found.sources.append(_failing(str(path), f"{path}: this folder cannot be read ({reason})"))
    if not pictures and not unreadable:
        deeper = "" if recursive else " (--recursive looks into the folders below)"
        found.sources.append(_failing(str(folder), f"{folder}: no pictures in this folder, and no clips{deeper}"))
    _add_files(found, pictures, folder, wishes)


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


def _add_list_file(found: Found, path: Path, wishes: Wishes) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        found.sources.append(_failing(str(path), f"{path}: this list cannot be read ({error.strerror or error})"))
        return
    _add_list(found, data, str(path), "expected a list of paths, one a line", wishes)


def _add_list(found: Found, data: bytes, name: str, expected: str, wishes: Wishes) -> None:
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
        _add_files(found, [path], path.parent, wishes)


def _add_stdin(found: Found, stdin: BinaryIO | None, wishes: Wishes) -> None:
    data = stdin.read() if stdin is not None else b""
    if data.startswith(_MAGIC):
        limit = {} if wishes.max_pixels is None else {"max_pixels": wishes.max_pixels}

        def read() -> Frame:
            return Frame(decode_image(data, "stdin", **limit), "stdin")

        found.sources.append(Source("stdin", read, Path("stdin")))
        found.bases.append(Path())
        return
    _add_list(found, data, "stdin", "expected a picture, or a list of paths, one a line", wishes)


def _add_files(found: Found, paths: list[Path], base: Path, wishes: Wishes) -> None:
    found.bases.append(base)
    for path in paths:
        if _is_clip(path):
            found.sources.append(movie(path, wishes.frames))
        else:
            found.sources.append(Source(str(path), _reader(path, wishes), path))


def _add_clip(found: Found, clip: Clip, base: Path) -> None:
    found.bases.append(base)
    found.sources.append(clip)


def _add_numbered(found: Found, pattern: Path, wishes: Wishes) -> None:
    files = find_numbered(pattern)
    if not files:
        found.sources.append(_failing(str(pattern), f"{pattern}: no file matches this pattern of numbered pictures"))
        return
    numbers, paths = list(files), list(files.values())
    prefix, _, suffix = pattern_parts(pattern.name) or ("", 0, "")
    label = pattern.with_name((prefix.rstrip("._- ") or pattern.parent.name or "frames") + suffix)
    _add_sequence(found, str(pattern), label, paths, numbers, wishes)
    found.bases.append(pattern.parent)


def _add_sequence(found: Found, name: str, label: Path, paths: list[Path], numbers: list[int], wishes: Wishes) -> None:
    gaps = numbers[-1] - numbers[0] + 1 - len(numbers)
    if gaps:
        found.notes.append(f"{name}: {gaps} of the numbers from {numbers[0]} to {numbers[-1]} have no picture")
    read = functools.partial(_reader, wishes=wishes)
    try:
        clip = picture_sequence(name, label, paths, numbers, read, fps=wishes.fps, frames=wishes.frames)
    except InputError as error:  # no picture within the frames asked for: no reason to stop the others
        found.sources.append(_failing(name, error.message))
    else:
        found.sources.append(clip)


def _joined(found: Found, wishes: Wishes) -> list[Source | Clip]:
    """The inputs, where neighbours that are pictures of one folder have become one clip."""
    parts = Found(notes=found.notes)
    for folder, group in itertools.groupby(found.sources, key=_folder_of):
        sources = list(group)
        if folder is None:
            parts.sources.extend(sources)
            continue
        paths = [source.path for source in sources if source.path is not None]
        # The suffix is what output names cut; a folder's own dots stay.
        label = folder.parent / f"{folder.resolve().name}.sequence"
        _add_sequence(parts, str(folder), label, paths, as_numbers(paths), wishes)
    return parts.sources


def _folder_of(source: Source | Clip) -> Path | None:
    return source.path.parent if isinstance(source, Source) and source.path is not None and source.path.name else None


def _reader(path: Path, wishes: Wishes) -> Callable[[], Frame]:
    if path.suffix.lower() == EXR_SUFFIX:
        return lambda: Frame(read_exr(path), str(path), path=path)
    limit = {} if wishes.max_pixels is None else {"max_pixels": wishes.max_pixels}
    return lambda: Frame(read_image(path, **limit), str(path), path=path)


def _failing(name: str, message: str) -> Source:
    def read() -> Frame:
        raise InputError(message)

    return Source(name, read)


def is_picture(path: Path) -> bool:
    """Whether the suffix is one that pictures have."""
    return path.suffix.lower() in (*IMAGE_SUFFIXES, EXR_SUFFIX)


def _is_readable(path: Path) -> bool:
    """Whether the suffix is one of a picture or a clip."""
    return is_picture(path) or path.suffix.lower() in VIDEO_SUFFIXES


def _is_clip(path: Path) -> bool:
    """By the suffix; a file of an unknown one is looked at, as pictures are told by their content too."""
    if is_picture(path) or not os.path.isfile(path):
        return path.suffix.lower() in VIDEO_SUFFIXES
    return is_video(path)


def _camera_number(text: str) -> int | None:
    """The number in "camera:0", or in a number alone where no file has that name."""
    number = text.removeprefix("camera:")
    named = number != text
    return int(number) if number.isascii() and number.isdecimal() and (named or not os.path.lexists(text)) else None


def _fixed_part(pattern: str) -> Path:
    """The folders of a glob pattern before its first wildcard."""
    parts: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
