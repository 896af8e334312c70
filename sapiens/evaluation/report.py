"""What an evaluation found, and how it is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sapiens._version import __version__
from sapiens.imaging.write import atomic_path
from sapiens.tasks.yardstick import get_yardstick

Good = Literal["high", "low"]


@dataclass(frozen=True)
class Failure:
    """A record that was not counted: its name and why."""

    id: str
    message: str


@dataclass(frozen=True)
class Shown:
    """One picture of the best or worst.

    Attributes:
        index: of the record in the data.
        id: its name.
        score: its own value of the headline metric.
        pictures: JPEG bytes of the picture, the truth and the prediction.
    """

    index: int
    id: str
    score: float
    pictures: tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Report:
    """One task on one set of pictures.

    Attributes:
        task: name of the task.
        data: what was evaluated on, as it was asked for.
        model, weights, dtype, compat, device: of the predictor; `weights` is a fingerprint.
        headline: the metric that best and worst were chosen by, and which values of it are good.
        count: records that were counted.
        metrics: numbers by name; NaN where nothing tells.
        trivial: the same numbers of answers that need no network, by their names.
        tables: name -> names of rows and columns, and whole numbers; e.g. the confusion matrix.
        best, worst: best first, worst first.
        failures: records that could not be counted.
        notes: how it was done, where that matters for comparing.
        seconds: of the whole evaluation.
        processes: how many took part.
    """

    task: str
    data: str
    model: str
    weights: str
    dtype: str
    compat: str
    device: str
    headline: tuple[str, Good]
    count: int
    metrics: Mapping[str, float]
    trivial: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[int]]]] = field(default_factory=dict)
    best: tuple[Shown, ...] = ()
    worst: tuple[Shown, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    processes: int = 1

    @property
    def value(self) -> float:
        """The headline metric."""
        return self.metrics[self.headline[0]]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON: numbers that are not finite are None."""
        tables = {
            name: {"names": list(names), "rows": [list(r) for r in rows]} for name, (names, rows) in self.tables.items()
        }
        return {
            "task": self.task,
            "data": self.data,
            "model": self.model,
            "weights": self.weights,
            "dtype": self.dtype,
            "compat": self.compat,
            "device": self.device,
            "processes": self.processes,
            "count": self.count,
            "seconds": round(self.seconds, 3),
            "headline": {"metric": self.headline[0], "good": self.headline[1], "value": _plain(self.value)},
            "metrics": _plain(self.metrics),
            "trivial": _plain(self.trivial),
            "tables": tables,
            "best": [{"index": s.index, "id": s.id, "score": _plain(s.score)} for s in self.best],
            "worst": [{"index": s.index, "id": s.id, "score": _plain(s.score)} for s in self.worst],
            "failures": [{"id": f.id, "message": f.message} for f in self.failures],
            "notes": list(self.notes),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if not math.isfinite(value) else value


def save_json(reports: Sequence[Report], path: str | Path, *, machine: str = "") -> Path:
    """Write reports to one JSON file: {"sapiens", "machine", "reports": [...]}; it appears whole or not at all.

    Args:
        reports: any number.
        path: the file.
        machine: what it was computed on, in words.
    """
    content = {"sapiens": __version__, "machine": machine, "reports": [report.to_dict() for report in reports]}
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def summary(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Rows of a short table: the numbers that a task shows, of the network and of trivial answers."""
    rows = []
    for report in reports:
        for name, good in get_yardstick(report.task).shown.items():
            row: dict[str, Any] = {"data": report.data, "task": report.task, "number": name, "good": good}
            # "sapiens2_nano_seg": one column serves the networks of one size.
            row[report.model.removesuffix(f"_{report.task}")] = report.metrics[name]
            told = {answer: numbers[name] for answer, numbers in report.trivial.items()}
            if told:
                row["trivial answers"] = ", ".join(f"{answer} {value:.4g}" for answer, value in told.items())
            rows.append(row)
    return rows
