"""`sapiens bench`: every figure in the docs comes from here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sapiens.cli.console import put
from sapiens.errors import UnknownNameError

SUBJECTS = {
    "decode": "heatmaps of 8 people to key points, beside map by map with OpenCV",
    "load": "a full-size 1B pose file: time and memory, beside reading it and building with random weights first",
    "startup": "import and --help",
    "serve": "the web service from its start to its address, and the first result of every tab",
    "detect": "person detectors at their own input sizes",
    "synth": "procedural people rendered with all truth",
    "train": "updates of nano with each way to tune: time and memory",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("bench", help="Measure: " + "; ".join(f"{k} ({v})" for k, v in SUBJECTS.items()) + ".")(bench)


def bench(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help=", ".join(SUBJECTS))],
    repeats: Annotated[int, typer.Option(min=1, help="Timed repetitions, interleaved.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    workdir: Annotated[
        Path | None, typer.Option(help="Where large temporary files may go; default the system's place.")
    ] = None,
) -> None:
    """Run one benchmark and print its table."""
    if subject not in SUBJECTS:
        raise UnknownNameError("benchmark", subject, SUBJECTS)
    report = _run(subject, repeats, workdir)
    if as_json:
        put(json.dumps(report, indent=2))
        return
    from sapiens.bench.table import render

    put(render(report))


def _run(subject: str, repeats: int, workdir: Path | None) -> dict[str, Any]:
    import importlib

    run = importlib.import_module(f"sapiens.bench.{subject}").run
    extra: dict[str, Any] = {"workdir": workdir} if subject == "load" else {}
    report: dict[str, Any] = run(repeats=repeats, **extra)
    return report
