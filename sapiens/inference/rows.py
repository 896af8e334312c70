"""Results as rows: one line of JSON per frame, or a Parquet table with one row per person and frame."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from sapiens.errors import InputError, require
from sapiens.imaging.write import atomic_path
from sapiens.inference.masks import foreground
from sapiens.tasks.base import Result

ROWS_AT_ONCE = 512
"""Rows of a Parquet row group; with 308 points each takes 4 kB."""


def to_row(result: Result) -> dict[str, Any]:
    """What JSON lines say of one frame.

    Returns:
        "frame", "time_s" (seconds), "width", "height", "notes"; for people "people", a list of "id", "box" (x1, y1, x2,
        y2 in pixels), "score" and "keypoints" (x, y, score of each point; null where a point has no place); else, from
        tasks that know it, "foreground", the part of the frame that people cover.
    """
    meta, arrays = result.meta, result.arrays()
    height, width = meta.size_hw
    row: dict[str, Any] = {"frame": meta.frame, "time_s": meta.time_s, "width": width, "height": height}
    if "boxes_xyxy" in arrays:
        row["people"] = _people(arrays)
    elif "labels" in arrays or "alpha" in arrays:
        row["foreground"] = round(float(foreground(result).mean()), 6)
    row["notes"] = list(meta.notes)
    return row


def _people(arrays: dict[str, Any]) -> list[dict[str, Any]]:
    people = []
    for k, box in enumerate(arrays["boxes_xyxy"].tolist()):
        points = [
            [*xy, score]
            for xy, score in zip(arrays["keypoints"][k].tolist(), arrays["scores"][k].tolist(), strict=True)
        ]
        people.append({
            "id": int(arrays["ids"][k]) if "ids" in arrays else None,
            "box": [_number(v) for v in box],
            "score": _number(float(arrays["box_scores"][k])),
            "keypoints": [[_number(v) for v in point] for point in points],
        })  # fmt: skip
    return people


def _number(value: float) -> float | None:
    """A hundredth of a pixel is enough, and JSON has no NaN."""
    return round(value, 3) if math.isfinite(value) else None


class JsonLines:
    """A file with one line of JSON per frame; it appears when it is closed."""

    suffix = ".jsonl"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = ExitStack()
        temporary = self._files.enter_context(atomic_path(path))
        self._file: TextIO = self._files.enter_context(temporary.open("w", encoding="utf-8"))

    def add(self, row: dict[str, Any]) -> None:
        """Append a frame."""
        try:
            self._file.write(json.dumps(row, separators=(",", ":")) + "\n")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def close(self) -> Path:
        """Finish the file; returns its path."""
        self._files.close()
        return self.path

    def discard(self) -> None:
        """Leave no file."""
        discard(self._files)


class Parquet:
    """A Parquet table with one row per person and frame, and one with nulls for a frame without people.

    Columns: frame int64, time_s float64, id int32, x1, y1, x2, y2 float32 (pixels), score float32, and lists of float32
    by point: keypoint_x, keypoint_y (pixels), keypoint_score. Tasks without people have frame, time_s and foreground.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """

    suffix = ".parquet"

    def __init__(self, path: Path) -> None:
        self._arrow = require("pyarrow", "batch")
        self._parquet = require("pyarrow.parquet", "batch")
        self.path = path
        self._files = ExitStack()
        self._temporary = self._files.enter_context(atomic_path(path))
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None

    def add(self, row: dict[str, Any]) -> None:
        """Append a frame."""
        self._rows += _flat(row)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush(people="people" in row)

    def close(self) -> Path:
        """Finish the file; returns its path."""
        with self._files:
            self._flush(people=bool(self._rows) and "id" in self._rows[0])
            if self._writer is not None:
                self._writer.close()
        return self.path

    def discard(self) -> None:
        """Leave no file."""
        if self._writer is not None:
            self._writer.close()
        discard(self._files)

    def _flush(self, *, people: bool) -> None:
        try:
            if self._writer is None:
                self._schema = _schema(self._arrow, people=people)
                self._writer = self._parquet.ParquetWriter(str(self._temporary), self._schema)
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._rows = []


def _schema(arrow: Any, *, people: bool) -> Any:
    always = [("frame", arrow.int64()), ("time_s", arrow.float64())]
    if not people:
        return arrow.schema([*always, ("foreground", arrow.float32())])
    corners = [(name, arrow.float32()) for name in ("x1", "y1", "x2", "y2", "score")]
    points = [(name, arrow.list_(arrow.float32())) for name in ("keypoint_x", "keypoint_y", "keypoint_score")]
    return arrow.schema([*always, ("id", arrow.int32()), *corners, *points])


def _flat(row: dict[str, Any]) -> list[dict[str, Any]]:
    base = {"frame": row["frame"], "time_s": row["time_s"]}
    if "people" not in row:
        return [base | {"foreground": row.get("foreground")}]
    if not row["people"]:
        return [base | {"id": None}]
    return [base | _person(person) for person in row["people"]]


def _person(person: dict[str, Any]) -> dict[str, Any]:
    columns = list(zip(*person["keypoints"], strict=True)) or [(), (), ()]
    corners = dict(zip(("x1", "y1", "x2", "y2"), person["box"], strict=True))
    points = dict(zip(("keypoint_x", "keypoint_y", "keypoint_score"), columns, strict=True))
    return {"id": person["id"], "score": person["score"], **corners, **points}


def discard(files: ExitStack) -> None:
    """Leave `atomic_path` contexts without their files."""
    error = _DiscardError()
    files.__exit__(type(error), error, None)


class _DiscardError(Exception):
    """Never leaves this module."""
