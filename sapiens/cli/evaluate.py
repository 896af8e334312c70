"""`sapiens evaluate`: one or several tasks over annotated pictures; numbers, and best and worst pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import progress, put, say
from sapiens.errors import InputError

if TYPE_CHECKING:
    from sapiens.evaluation import Report
    from sapiens.imaging.sample import Sample
    from sapiens.inference.predictor import Predictor


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate")(evaluate)


def evaluate(
    tasks: Annotated[
        str, typer.Argument(metavar="TASK[,TASK]", help="pose, seg, normal, pointmap, matting, albedo.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Every task.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Annotated pictures, [FORMAT:]PATH[,OPTION=VALUE...]; default the held-out sets.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano.")] = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="Checkpoint, or TASK=checkpoint once per task; 'untrained' to try things.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many records.")] = None,
    baseline: Annotated[
        bool | None, typer.Option(help="Trivial answers beside the network's; default for the held-out sets.")
    ] = None,
    baseline_data: Annotated[
        str | None, typer.Option(help="What trivial answers are made from; default the data itself.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="Pose: find people with this instead of taking the annotation's boxes.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write numbers and pictures to this .html file.")] = None,
    shown: Annotated[int, typer.Option(min=0, help="Best and worst pictures on the page, of each.")] = 4,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-O", help="A task's own switch, e.g. flip=false.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, int8 (CPUs).")] = "auto",
    compat: Annotated[str, typer.Option(help="default, or reference: predict and count as the original.")] = "default",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Network inputs per pass.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the table and errors.")] = False,
) -> None:
    """Measure tasks on annotated pictures and print a table.

    Without --data these are two fixed sets of procedural people: one person a picture, and one to four. A record that
    cannot be used is reported, is not counted, and makes the exit code 1. Under torchrun or accelerate launch every
    process takes a share of the records; the numbers are those of one process.
    """
    from sapiens.bench.table import machine
    from sapiens.cli.predict import make_folder
    from sapiens.evaluation.processes import join, own_device
    from sapiens.evaluation.report import save_json

    names = _names(tasks, every)
    if detector is not None and "pose" not in names:
        raise InputError("--detector is for pose; the other tasks work on whole pictures")
    for file in (as_json, page):
        if file is not None and file.is_dir():
            raise InputError(f"{file}: is a folder; expected a file to write to")
        if file is not None:
            make_folder(file.parent)
    processes = join()
    if processes.count > 1 and device == "auto":
        device = own_device()
    settings = {"device": device, "dtype": dtype, "compat": compat, "batch_size": batch_size}
    load_one = _loader(names, size, weights or [], detector, option or [], settings)
    jobs = _jobs(names, data, baseline, baseline_data)
    reports: list[Report] = []
    for name in names:
        predictor = load_one(name)
        for job in (job for job in jobs if job.task == name):
            reports.append(_run(job, predictor, limit, shown, detector is not None, quiet or not processes.main))
    if processes.main:
        on = machine()
        for line in _lines(reports, on):
            put(line)
        if as_json is not None:
            save_json(reports, as_json, machine=on)
        if page is not None:
            from sapiens.evaluation.page import save_page

            save_page(reports, page, machine=on)
        _close(reports)
    if any(report.failures for report in reports):
        raise typer.Exit(1)


def _names(tasks: str, every: bool) -> list[str]:
    from sapiens.cli.predict import listed
    from sapiens.tasks import TASKS, get_task

    names = listed(tasks)
    if every == bool(names):
        raise InputError("expected the tasks to evaluate, or --all", hint="sapiens evaluate seg,normal --data ...")
    for name in names:
        get_task(name)
    return names or list(TASKS)


@dataclass(frozen=True)
class _Job:
    """One task on one set; trivial answers are made from `training`, if that is not None."""

    task: str
    name: str
    samples: Sequence[Sample]
    training: Sequence[Sample] | None


def _jobs(names: Sequence[str], data: str | None, baseline: bool | None, baseline_data: str | None) -> list[_Job]:
    """Every task on every set, the sets of a task one after the other; whatever cannot be opened is found out first."""
    if data is None:
        from sapiens.evaluation.heldout import HELD_OUT

        if baseline_data is not None:
            raise InputError("--baseline-data is for your own --data; the held-out sets have their own")
        sets = [(held_out.name, held_out.pictures(), held_out.trivial_pictures()) for held_out in HELD_OUT]
        return [
            _Job(task, name, samples, training if baseline is not False else None)
            for task in names
            for name, samples, training in sets
        ]
    opened = _open(names, data)
    training = _open(names, baseline_data) if baseline_data is not None else opened if baseline else {}
    return [_Job(task, data, opened[task], training.get(task)) for task in names]


def _open(names: Sequence[str], data: str) -> dict[str, Sequence[Sample]]:
    """The samples of each task; data that serves them all is opened once, so that nothing is rendered twice.

    Nothing is read yet: records that turn out bad are reported by the evaluation, with the others counted.
    """
    from sapiens.datasets import open_data

    if len(names) > 1 and data.startswith("synth"):
        samples = open_data(data, ",".join(names), check=False)
        return dict.fromkeys(names, samples)
    return {name: open_data(data, name, check=False) for name in names}


def _loader(
    names: list[str],
    size: str | None,
    weights: list[str],
    detector: str | None,
    options: list[str],
    settings: Mapping[str, Any],
) -> Callable[[str], Predictor]:
    """What loads the network of a task; everything typed is checked before the first one."""
    from sapiens.cli.options import task_options
    from sapiens.cli.predict import per_task
    from sapiens.inference.predictor import load
    from sapiens.tasks import get_task

    by_task = per_task(weights, names)
    chosen = task_options(options, [get_task(name) for name in names])

    def load_one(name: str) -> Predictor:
        extra: dict[str, Any] = {"detector": detector} if get_task(name).top_down else {}
        return load(name, size, weights=by_task.get(name), **settings, **extra, **chosen[name])

    return load_one


def _run(job: _Job, predictor: Predictor, limit: int | None, shown: int, find_people: bool, quiet: bool) -> Report:
    from sapiens.evaluation import evaluate, trivial_answers

    trivial = trivial_answers(job.task, job.training) if job.training is not None else {}
    total = len(job.samples) if limit is None else min(limit, len(job.samples))
    with progress(f"{job.task}, {job.name}", total, quiet=quiet) as advance:
        return evaluate(
            predictor,
            job.samples,
            data=job.name,
            trivial=trivial,
            limit=limit,
            shown=shown,
            find_people=find_people and predictor.task.top_down,
            advance=advance,
        )


def _lines(reports: Sequence[Report], machine: str) -> Iterator[str]:
    """What it was computed on, and the short table; a set that all rows share is named above it."""
    from sapiens.bench.table import columns
    from sapiens.evaluation.report import summary

    sets = {report.data for report in reports}
    yield machine
    if len(sets) == 1:
        yield f"{sets.pop()}, {max(report.count for report in reports)} records"
    hidden = {"data"} if not sets else set()
    yield ""
    yield columns([{k: _cell(v) for k, v in row.items() if k not in hidden} for row in summary(reports)])


def _cell(value: Any) -> Any:
    return "-" if isinstance(value, float) and math.isnan(value) else value


def _close(reports: Sequence[Report]) -> None:
    """List the records that were left out, last."""
    for report in reports:
        for failure in report.failures:
            say("error", f"{report.task}: {failure.message}")
    failed, counted = sum(len(r.failures) for r in reports), sum(r.count for r in reports)
    if failed:
        say("failed", f"{failed} of {failed + counted} records were left out")
