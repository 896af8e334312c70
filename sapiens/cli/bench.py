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
    "files": "pictures from disk to results on disk, beside the network alone",
    "options": "what int8 and 16-bit numbers change in each task's unit, and what pose gains from its mirrored pass",
    "crops": "people small in a large picture: as a whole, with a crop per person, in tiles; and flicker in clips",
    "train": "updates of nano with each way to tune: time and memory",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("bench", help="Measure: " + "; ".join(f"{k} ({v})" for k, v in SUBJECTS.items()) + ".")(bench)


def bench(
    subject: Annotated[
        str, typer.Argument(metavar="[SUBJECT]", help=f"A task, backbone, {', '.join(SUBJECTS)}.")
    ] = "backbone",
    size: Annotated[
        str | None,
        typer.Option(help="0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano; default 0.1b, for load 1b, for files nano."),
    ] = None,
    vs: Annotated[
        str | None,
        typer.Option(help="A task beside which others: transformers, eager, int8, bfloat16, compiled, graph, ..."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Of tasks, backbone and files: pictures in a pass.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Timed repetitions, interleaved.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    workdir: Annotated[
        Path | None, typer.Option(help="Where large temporary files may go; default the system's place.")
    ] = None,
) -> None:
    """Run one benchmark and print its table."""
    report = _compare(subject, size, vs, repeats, batch, workdir) if subject not in SUBJECTS else None
    report = report or _run(subject, repeats, workdir, size, batch)
    if as_json:
        put(json.dumps(report, indent=2))
        return
    from sapiens.bench.table import render

    put(render(report))


def _compare(
    subject: str, size: str | None, vs: str | None, repeats: int, batch: int, workdir: Path | None
) -> dict[str, Any]:
    from sapiens.tasks import TASKS

    if subject not in (*TASKS, "backbone"):
        raise UnknownNameError("benchmark", subject, [*SUBJECTS, *TASKS, "backbone"])
    from sapiens.bench.compare import run

    others = [word.strip() for word in (vs or "").split(",") if word.strip()]
    return run(subject, size or "0.1b", others, repeats=repeats, batch=batch, workdir=workdir)


def _run(subject: str, repeats: int, workdir: Path | None, size: str | None, batch: int) -> dict[str, Any]:
    import importlib

    run = importlib.import_module(f"sapiens.bench.{subject}").run
    extra: dict[str, Any] = {"size": size} if size and subject in ("load", "files") else {}
    if subject == "load":
        extra["workdir"] = workdir
    elif subject == "files":
        extra["batch"] = batch
    report: dict[str, Any] = run(repeats=repeats, **extra)
    return report
