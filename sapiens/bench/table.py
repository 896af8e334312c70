"""Benchmark reports: a title, the machine, rows, and remarks; printed as one plain table."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any


def machine() -> str:
    """What the figures were taken on, without naming the host."""
    import torch

    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    threads = f"torch {torch.__version__} ({torch.get_num_threads()} threads)"
    return f"{platform.machine()}, {os.cpu_count()} cores, {threads}{gpu}"


def report(title: str, rows: Sequence[Mapping[str, Any]], remarks: Sequence[str] = ()) -> dict[str, Any]:
    """A benchmark's outcome, ready for JSON and for `render`."""
    return {
        "title": title,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "rows": [dict(row) for row in rows],
        "remarks": list(remarks),
    }


def render(outcome: Mapping[str, Any]) -> str:
    """Lines of text: title, machine, the rows, remarks."""
    head, tail = [outcome["title"], outcome["machine"], ""], outcome["remarks"]
    return "\n".join([*head, columns(outcome["rows"]), *([""] if tail else []), *tail])


def columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text, one aligned column per key."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    cells = [names, *([_cell(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
