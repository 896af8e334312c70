"""Reports as one HTML page that needs nothing else: numbers, and pictures of best and worst."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sapiens._version import __version__
from sapiens.evaluation.report import Report, Shown
from sapiens.imaging.write import atomic_path
from sapiens.tasks import get_task

STYLE = """
:root { color-scheme: light dark; --ink: #18181b; --paper: #fafaf9; --soft: #71717a; --line: #d4d4d8; --mark: #4f46e5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f4f4f5; --paper: #18181b; --soft: #a1a1aa; --line: #3f3f46; --mark: #a5b4fc } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
p.small, figcaption, .small { color: var(--soft); font-size: 13px }
.headline { font-size: 2rem; font-variant-numeric: tabular-nums; color: var(--mark) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 } .wide { overflow-x: auto }
th, td { text-align: right; padding: .15rem .7rem; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } th { font-weight: 600 }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem }
figure { margin: 0 } figure div { display: flex; gap: 2px } figure img { width: 33.3%; object-fit: contain }
.matrix td { padding: 0; width: 1.1rem; height: 1.1rem; border: 0; min-width: 1.1rem }
.matrix th { font-size: 11px; font-weight: 400; padding: 0 .4rem; border: 0; white-space: nowrap; text-align: right }
"""


def save_page(reports: Sequence[Report], path: str | Path, *, machine: str = "") -> Path:
    """Write reports as one page; it appears whole or not at all.

    Args:
        reports: any number.
        path: the .html file.
        machine: what it was computed on, in words.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(make_page(reports, machine=machine), encoding="utf-8")
    return path


def make_page(reports: Sequence[Report], *, machine: str = "") -> str:
    """The page as text, with the pictures in it."""
    links = " &middot; ".join(f'<a href="#r{k}">{escape(_title(report))}</a>' for k, report in enumerate(reports))
    sections = "\n".join(_section(report, f"r{k}") for k, report in enumerate(reports))
    about = escape(f"sapiens {__version__}" + (f", {machine}" if machine else ""))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>sapiens evaluation</title><style>{STYLE}</style></head>\n"
        f'<body><h1>sapiens evaluation</h1><p class="small">{about}</p><p>{links}</p>\n{sections}\n</body></html>\n'
    )


def _title(report: Report) -> str:
    return f"{get_task(report.task).title}, {report.data}" if report.data else get_task(report.task).title


def _section(report: Report, anchor: str) -> str:
    name, good = report.headline
    facts = [
        f"{report.count} records",
        f"{len(report.failures)} left out" if report.failures else "",
        f"{report.model}, weights {report.weights[:12]}, {report.dtype} on {report.device}, compat {report.compat}",
        f"{report.processes} processes" if report.processes > 1 else "",
        f"{report.seconds:.1f} s",
        *report.notes,
    ]
    parts = [
        f'<section id="{anchor}"><h2>{escape(_title(report))}</h2>',
        f'<p class="small">{escape("; ".join(fact for fact in facts if fact))}</p>',
        f'<p><span class="headline">{_number(report.value)}</span> {escape(name)} ({good} is good)</p>',
        _numbers(report),
        _classes(report.metrics),
        *(_matrix(title, names, rows) for title, (names, rows) in report.tables.items()),
        _pictures("Worst", report.worst),
        _pictures("Best", report.best),
        _failures(report),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _numbers(report: Report) -> str:
    """Every number that is not of one class, beside those of the trivial answers."""
    head = ["", report.model, *report.trivial]
    rows = [
        [name, *(_number(numbers[name]) for numbers in (report.metrics, *report.trivial.values()))]
        for name in report.metrics
        if not _of_class(name)
    ]
    return _table(head, rows)


def _of_class(name: str) -> bool:
    """Names of classes start with a capital."""
    return name.partition("/")[2][:1].isupper()


def _classes(metrics: Mapping[str, float]) -> str:
    """A row for each class: "iou/Hair" is column "iou" of row "Hair"."""
    split = [name.split("/", 1) for name in metrics if _of_class(name)]
    if not split:
        return ""
    columns, classes = list(dict.fromkeys(c for c, _ in split)), list(dict.fromkeys(k for _, k in split))
    return _table(["", *columns], [[k, *(_number(metrics[f"{c}/{k}"]) for c in columns)] for k in classes])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>\n{body}</table></div>'


def _matrix(title: str, names: Sequence[str], rows: Sequence[Sequence[int]]) -> str:
    """Shares of each row as depth of colour, for classes that occur; the pointer shows the counts."""
    used = [k for k in range(len(names)) if sum(rows[k]) or any(row[k] for row in rows)]
    lines = []
    for k in used:
        total = max(sum(rows[k]), 1)
        cells = "".join(
            f'<td title="{escape(names[k])} taken for {escape(names[j])}: {rows[k][j]}" '
            f'style="background: rgb(79 70 229 / {rows[k][j] / total:.3f})"></td>'
            for j in used
        )
        lines.append(f"<tr><th>{escape(names[k])}</th>{cells}</tr>")
    note = "rows: the true class; columns: the predicted one, in the same order; depth: share of the row"
    return (
        f'<p>{escape(title)} <span class="small">({note})</span></p>'
        f'<div class="wide"><table class="matrix">{"".join(lines)}</table></div>'
    )


def _pictures(title: str, shown: Sequence[Shown]) -> str:
    if not shown:
        return ""
    figures = []
    for one in shown:
        images = "".join(
            f'<img alt="{what}" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">'
            for what, picture in zip(("picture", "truth", "prediction"), one.pictures, strict=True)
        )
        caption = f"{escape(one.id)}: {_number(one.score)}"
        figures.append(f"<figure><div>{images}</div><figcaption>{caption}</figcaption></figure>")
    return (
        f'<h3>{title} <span class="small">picture | truth | prediction</span></h3>'
        f'<div class="pictures">{"".join(figures)}</div>'
    )


def _failures(report: Report) -> str:
    if not report.failures:
        return ""
    lines = "".join(f"<li>{escape(failure.message)}</li>" for failure in report.failures)
    return f"<h3>Left out</h3><ul>{lines}</ul>"


def _number(value: Any) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"
