"""From a result to the bytes of an answer: JSON, a picture, arrays, or any other file the task can write."""

from __future__ import annotations

import base64
import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.app.features import FeaturesResult
from sapiens.app.refusal import RefusedError
from sapiens.errors import UnknownNameError
from sapiens.inference.exports import COMMON_EXPORTS
from sapiens.tasks.base import Export, Result, RunExport, Task

JSON = "application/json"
NPZ = "application/x-npz"
BY_ACCEPT = {JSON: "json", "image/png": "picture", NPZ: "npz"}
"""What `Accept` can ask for, the default first; everything else goes by `?as=`."""
ARRAYS = ("all", "small", "mask")
"""Which arrays JSON holds; "small": those without a value per pixel or patch, "mask": these and the foreground."""
MEDIA_TYPES = {
    ".png": "image/png",
    ".npz": NPZ,
    ".npy": "application/x-npy",
    ".json": JSON,
    ".ply": "application/x-ply",
    ".glb": "model/gltf-binary",
}


@dataclass(frozen=True)
class Wish:
    """The form an answer is to have.

    Attributes:
        kind: "json", "picture", "npz" or another kind of the task.
        arrays: of JSON, one of `ARRAYS`.
    """

    kind: str
    arrays: str = "all"


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer.

    Attributes:
        body: its bytes.
        media_type: what they are.
        filename: what a download is called.
    """

    body: bytes
    media_type: str
    filename: str


def kinds(task: Task) -> list[str]:
    """Every form the results of a task can have."""
    return ["json", *COMMON_EXPORTS, *task.exports, *task.run_exports]


def media_type(task: Task, kind: str) -> str:
    """What an answer of this kind is."""
    if kind == "json":
        return JSON
    export = _export(task, kind)
    name = export.suffix if isinstance(export, Export) else export.filename
    return MEDIA_TYPES.get(Path(f"x{name}").suffix, "application/octet-stream")


def has_json_files(task: Task) -> bool:
    """Whether the task writes JSON of other programs' formats besides the service's own."""
    return [media_type(task, kind) for kind in kinds(task)].count(JSON) > 1


def choose(task: Task, accept: str | None, kind: str | None, arrays: str | None) -> Wish:
    """The form to answer in.

    Args:
        task: whose result it is.
        accept: the request's header.
        kind, arrays: of the query `?as=...&arrays=...`; a kind goes before the header.

    Raises:
        RefusedError: no such kind, or nothing that the header takes.
    """
    if arrays is not None and arrays not in ARRAYS:
        raise UnknownNameError("choice of arrays", arrays, ARRAYS)
    if kind is not None:
        if kind not in kinds(task):
            raise UnknownNameError(f"kind of answer for {task.name}", kind, kinds(task))
        return Wish(kind, arrays or "all")
    for media in accepted(accept):
        return Wish(BY_ACCEPT[media], arrays or "all")
    raise RefusedError(406, f"Accept: {accept}: cannot answer in any of these", f"one of {', '.join(BY_ACCEPT)}")


def accepted(header: str | None) -> list[str]:
    """Which of `BY_ACCEPT` a header takes, the best first (RFC 9110, section 12.5.1)."""
    if header is None or not header.strip():
        return list(BY_ACCEPT)
    ranges = [_range(part) for part in header.split(",") if part.strip()]
    marks = {media: _quality(media, ranges) for media in BY_ACCEPT}
    return sorted((media for media, mark in marks.items() if mark > 0), key=lambda media: -marks[media])


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (word.strip().lower() for word in part.split(";"))
    quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    try:
        return name, float(quality)
    except ValueError:
        return name, 0.0


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """The mark of the most exact range that fits."""
    for wanted in (media, f"{media.split('/')[0]}/*", "*/*"):
        for name, quality in ranges:
            if name == wanted:
                return quality
    return 0.0


def render(task: Task, result: Result, wish: Wish) -> Answer:
    """An answer in the form that was chosen.

    Files are written in a folder that only this process may enter, and are gone when this returns.
    """
    stem = _ascii(Path(result.meta.image_id).stem)
    if wish.kind == "json":
        body = json.dumps(to_json(result, wish.arrays), allow_nan=False, separators=(",", ":"))
        return Answer(body.encode(), JSON, f"{stem}_{task.name}.json")
    export = _export(task, wish.kind)
    suffix = export.suffix if isinstance(export, Export) else f"_{export.filename.format(label=stem)}"
    with tempfile.TemporaryDirectory(prefix="sapiens-") as folder:
        path = Path(folder) / (f"result{suffix}" if isinstance(export, Export) else "result.json")
        if isinstance(export, Export):
            export.write(result, path)
        else:
            export.write([result], path)
        body_bytes = path.read_bytes()
    return Answer(body_bytes, media_type(task, wish.kind), f"{stem}_{task.name}{suffix}")


def to_json(result: Result, arrays: str = "all") -> dict[str, Any]:
    """A result as JSON.

    Arrays with a value for every pixel or patch are base64 of their little-endian bytes in C order; others are nested
    lists, null where a number is not finite.

    Args:
        result: of any task.
        arrays: one of `ARRAYS`.
    """
    told = {
        name: _array(value, _is_map(value, result))
        for name, value in result.arrays().items()
        if arrays == "all" or name == arrays or not _is_map(value, result)
    }
    return {**dataclasses.asdict(result.meta), "arrays": told}


def _is_map(value: npt.NDArray[Any], result: Result) -> bool:
    """Whether an array has a value for every pixel, or for every patch."""
    return value.shape[:2] == result.meta.size_hw or isinstance(result, FeaturesResult)


def _array(value: npt.NDArray[Any], per_pixel: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"dtype": value.dtype.name, "shape": list(value.shape)}
    if per_pixel:
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        return told | {"base64": base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()}
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        plain = value.astype(object)
        plain[~np.isfinite(value)] = None
        return told | {"data": plain.tolist()}
    return told | {"data": value.tolist()}


def _export(task: Task, kind: str) -> Export | RunExport:
    found: dict[str, Export | RunExport] = {**COMMON_EXPORTS, **task.exports, **task.run_exports}
    return found[kind]


def _ascii(text: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in text).strip()
    return kept[:80] or "upload"
