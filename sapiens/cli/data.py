"""`sapiens data`: look at training data before anything is trained on it, and pack it into shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sapiens.cli.console import progress, put, say
from sapiens.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from sapiens.imaging.sample import Sample

ACTIONS = {
    "check": "read every record and list all that is wrong, by file and record",
    "show": "write samples.png: some records with their annotations drawn",
    "shards": "write all usable records into tar shards",
}
LONGEST_NAME = 36
"""What fits below a picture of the sheet."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("data", help="Training data: " + "; ".join(f"{k} ({v})" for k, v in ACTIONS.items()) + ".")(data)


def data(
    action: Annotated[str, typer.Argument(metavar="ACTION", help=", ".join(ACTIONS))],
    task: Annotated[str, typer.Argument(help="What it is for: pose, seg, normal, pointmap, matting or albedo.")],
    spec: Annotated[str, typer.Argument(help="[FORMAT:]PATH[,OPTION=VALUE...], as in docs/data.md.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write to (show, shards).")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Records that show draws.")] = 12,
    at_most: Annotated[int | None, typer.Option(min=1, help="Records that check reads; default all.")] = None,
    per_shard: Annotated[int, typer.Option(min=1, help="Records in a shard.")] = 1000,
    prefix: Annotated[str, typer.Option(help="Name of the shards.")] = "train",
    as_json: Annotated[bool, typer.Option("--json", help="check: the report as one JSON object.")] = False,
) -> None:
    """Do one of the actions; exit code 1 if any record cannot be used."""
    if action not in ACTIONS:
        raise UnknownNameError("action", action, ACTIONS)
    if action == "check":
        clean = _check(task, spec, at_most, as_json)
    elif out is None:
        raise InputError(f"data {action}: expected a folder to write to", hint="add -o FOLDER")
    else:
        clean = _show(task, spec, out, count) if action == "show" else _shards(task, spec, out, per_shard, prefix)
    if not clean:
        raise typer.Exit(1)


def _check(task: str, spec: str, at_most: int | None, as_json: bool) -> bool:
    from sapiens.datasets import check_data

    with progress("check", at_most) as advance:
        report = check_data(spec, task, at_most=at_most, on_record=advance)
    put(json.dumps(report.to_dict(), indent=2) if as_json else report.text())
    return report.usable


def _show(task: str, spec: str, out: Path, count: int) -> bool:
    import numpy as np
    from PIL import Image

    from sapiens.datasets import open_data
    from sapiens.datasets.pictures import describe, draw_sample
    from sapiens.drawing.sheet import contact_sheet
    from sapiens.imaging.write import write_image
    from sapiens.tasks.learning import get_learning

    samples = open_data(spec, task, check=False)
    failed = _say_left_out(samples)
    places = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)).tolist()
    fields = [get_learning(name.strip()).fields[0] for name in task.split(",")]
    panels: list[tuple[str, str, Image.Image]] = []
    for place in places:
        try:
            sample = samples[place]
        except InputError as error:
            say("warning", error.message)
            failed += 1
            continue
        panels += [
            (sample.id[-LONGEST_NAME:], describe(sample, f), draw_sample(sample, f))
            for f in fields
            if f in sample.fields
        ]
    if not panels:
        raise InputError(f"{spec}: nothing to show: none of {len(places)} records has {', '.join(fields)}")
    sheet = contact_sheet(panels, title=f"{len(samples)} records for {task}", note=f"{spec}, {len(places)} of them")
    put(str(write_image(out / "samples.png", np.asarray(sheet))))
    return failed == 0


def _shards(task: str, spec: str, out: Path, per_shard: int, prefix: str) -> bool:
    from sapiens.datasets import open_data, write_shards

    samples: Sequence[Sample] = open_data(spec, task, check=False)
    with progress("shards", len(samples)) as advance:
        written = write_shards(samples, out, per_shard, prefix=prefix, on_record=advance)
    left_out = _say_left_out(samples) + len(written.problems)
    for problem in written.problems:
        say("warning", f"left out: {problem.what}")
    for path in written.paths:
        put(str(path))
    say("note", f"{written.count} of {len(samples)} records in {len(written.paths)} shards")
    return left_out == 0


def _say_left_out(samples: Sequence[Sample]) -> int:
    """Warn of records that the readers did not take up; returns their number."""
    from sapiens.datasets.mixture import leaves
    from sapiens.datasets.reader import Reader

    problems = [problem for leaf in leaves(samples) if isinstance(leaf, Reader) for problem in leaf.problems]
    for problem in problems:
        say("warning", f"left out: {problem}")
    return len(problems)
