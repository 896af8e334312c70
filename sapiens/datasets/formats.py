"""The table of formats, and which one a path is in when nobody says so. A format's module is imported when it is used.

Every module has `OPTIONS`, a frozen dataclass of what the spec may set, and `open_format(path, options, task)`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sapiens.errors import InputError

LIST_SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True)
class Format:
    """One way in which annotations are stored.

    Attributes:
        module: where its `OPTIONS` and `open_format` are.
        tasks: which can learn from it; empty: all.
        about: one line for lists of formats.
    """

    module: str
    tasks: tuple[str, ...]
    about: str


FORMATS: dict[str, Format] = {
    "synth": Format("synthetic", (), "procedural people, rendered"),
    "shards": Format("shards", (), "tar files as WebDataset has them"),
    "coco": Format("coco", ("pose",), "COCO, COCO-WholeBody and 308-point JSON"),
    "keypoints": Format("keypoint_list", ("pose",), "a JSON list of people, points by name or in order"),
    "labels": Format("labels", ("seg",), "label pictures"),
    "normals": Format("normals", ("normal",), "surface normals"),
    "depth": Format("depth", ("pointmap",), "depth and a camera"),
    "points": Format("points", ("pointmap",), "3D points of every pixel"),
    "matting": Format("mattes", ("matting",), "pictures with alpha, and foreground where known"),
    "rgba": Format("cutouts", ("matting",), "cut-out people without a background"),
    "albedo": Format("albedo", ("albedo",), "pictures with albedo"),
}
"""Every format by the name that specs use."""

_DENSE = {"seg": "labels", "normal": "normals", "pointmap": "depth", "matting": "matting", "albedo": "albedo"}


def guess_format(path: Path, task: str) -> str:
    """The format of a path for a task ("pose,seg" for several).

    Raises:
        InputError: no such path, or one that can be none of the task's formats.
    """
    if _is_shards(path):
        return "shards"
    if not path.exists():
        raise InputError(f"{path}: no such file or folder", hint=f"or name a format first: {', '.join(FORMATS)}")
    if "," in task:
        raise InputError(f"{path}: expected shards (*.tar) or synth for several tasks at once ({task})")
    if task == "pose":
        return _keypoint_format(path)
    if task == "pointmap" and path.is_dir() and not (path / "depth").exists() and (path / "points").exists():
        return "points"
    if task == "matting" and _is_cutouts(path):
        return "rgba"
    if path.is_dir() or path.suffix in LIST_SUFFIXES:
        return _DENSE[task]
    raise InputError(f"{path}: expected a folder, a .json list, or .tar shards for {task}")


def _is_shards(path: Path) -> bool:
    if path.suffix == ".tar":
        return True
    return path.is_dir() and any(path.glob("*.tar"))


def _is_cutouts(path: Path) -> bool:
    """A list of files, or a folder without subfolders of roles."""
    if path.suffix == ".txt":
        return True
    return path.is_dir() and not any((path / name).is_dir() for name in ("alpha", "alphas", "mask", "masks", "matte"))


def _keypoint_format(path: Path) -> str:
    if path.suffix not in LIST_SUFFIXES:
        raise InputError(f"{path}: expected the .json file with the keypoints (or .tar shards) for pose")
    if path.suffix == ".jsonl":
        return "keypoints"
    try:
        with path.open(encoding="utf-8") as file:
            start = file.read(4096).lstrip("\ufeff \t\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    return "keypoints" if start.startswith("[") else "coco"


def is_mixture(path: Path) -> bool:
    """A .toml file, or a .json object with "data" that is a list of specs.

    Raises:
        InputError: a file that cannot be read.
    """
    if path.suffix == ".toml":
        return True
    if path.suffix != ".json" or not path.is_file() or path.stat().st_size > 1_000_000:
        return False
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # whichever format reads it says what is wrong
    return isinstance(found, dict) and isinstance(found.get("data"), list)
