"""`sapiens predict`: one or several tasks over any number of pictures."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import progress, put, say, say_error
from sapiens.errors import InputError, SapiensError

if TYPE_CHECKING:
    from sapiens.inference.item import Item, MaskOf
    from sapiens.inference.people import PeopleFinder
    from sapiens.inference.predictor import Predictor


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict")(predict)


def predict(
    tasks: Annotated[str, typer.Argument(metavar="TASK[,TASK]", help="pose, seg, normal, pointmap, matting, albedo.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Pictures, folders, globs, .txt lists, or - (stdin)."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    size: Annotated[
        str | None, typer.Option(help="0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano. Default 1b; nano if there is no 1b.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="Checkpoint, or TASK=checkpoint once per task; 'untrained' to try things.")
    ] = None,
    save: Annotated[
        str, typer.Option(help="What to write: picture, npz, and the task's own (an unknown one lists them).")
    ] = "picture,npz",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders below a folder.")] = False,
    boxes: Annotated[Path | None, typer.Option(help="Person boxes: JSON by file name, or COCO.")] = None,
    detector: Annotated[str | None, typer.Option(help="Person detector: name or local folder.")] = None,
    whole_image: Annotated[bool, typer.Option(help="Pose: take each picture as one person.")] = False,
    mask: Annotated[
        str | None, typer.Option(help="Foreground for normal, pointmap, albedo: seg, matting, a mask, or a folder.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-O", help="A task's own switch, e.g. flip=false.")
    ] = None,
    side_by_side: Annotated[bool, typer.Option(help="Pictures as [input | result].")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    compat: Annotated[str, typer.Option(help="default, or reference: every number as the original.")] = "default",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Network inputs per pass.")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Largest picture to decode, in pixels.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Predict on pictures and write the results.

    Results go to OUT/TASK/, named like their inputs. A picture that fails is reported, listed again at the end, and
    makes the exit code 1; the others are still done.
    """
    from sapiens.inference.engine import run
    from sapiens.inference.exports import Writer
    from sapiens.inference.naming import check_beside, check_output, output_stems
    from sapiens.inference.sources import find_sources
    from sapiens.tasks import get_task

    names = _listed(tasks)
    if not names:
        raise InputError(f"no task in {tasks!r}", hint="one or several of pose, seg, normal, pointmap, matting, albedo")
    wanted = [get_task(name) for name in names]
    found = find_sources(inputs, recursive=recursive, stdin=sys.stdin.buffer, max_pixels=max_pixels)
    check_output(out, found.folders)
    stems = output_stems(found.sources, found.bases)
    writer = Writer(out, stems, wanted, _listed(save), side_by_side=side_by_side)
    check_beside(writer.folders, found.sources)
    make_folder(out)
    if found.skipped and not quiet:
        say("note", f"{len(found.skipped)} files in the input folders are not pictures and are left alone")

    # The task that makes the masks runs before those that use them, wherever it was named.
    first = [mask] if mask in ("seg", "matting") else []
    order = first + [name for name in names if name not in first]
    settings: dict[str, Any] = {"device": device, "dtype": dtype, "compat": compat, "batch_size": batch_size}
    predictors = _load(order, size, weights or [], detector, option or [], settings)
    finder = _finder(predictors, boxes, whole_image)
    report = Report(as_json=as_json, quiet=quiet)
    run_items = run(found.sources, predictors, find=finder, mask=_mask(mask), write=writer)
    bar = progress(",".join(names), len(found.sources), quiet=quiet or as_json)
    with closing(run_items) as items, bar as advance:
        for item in items:
            report.add(item)
            advance()
    report.close(out, writer.close())


def _listed(text: str) -> list[str]:
    """The words between commas, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def make_folder(out: Path) -> None:
    """Create the output folder, or say in one line why that cannot be.

    Raises:
        InputError: it is a file, or the place is not writable.
    """
    import os

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot make this output folder ({error.strerror})") from error
    if not os.access(out, os.W_OK):
        raise InputError(f"{out}: this output folder is not writable")


def _load(
    names: list[str],
    size: str | None,
    weights: list[str],
    detector: str | None,
    options: list[str],
    settings: dict[str, Any],
) -> list[Predictor]:
    from sapiens.cli.options import task_options
    from sapiens.inference.predictor import load
    from sapiens.tasks import get_task

    by_task = _per_task(weights, names)
    chosen = task_options(options, [get_task(name) for name in names])
    predictors = []
    for name in names:
        extra: dict[str, Any] = {"detector": detector} if get_task(name).top_down else {}
        predictors.append(load(name, size, weights=by_task.get(name), **settings, **extra, **chosen[name]))
    return predictors


def _per_task(weights: list[str], names: list[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for text in weights:
        name, separator, path = text.partition("=")
        if separator and name in names:
            chosen[name] = path
        elif len(names) == 1 or text == "untrained":
            chosen.update(dict.fromkeys(names, text))
        else:
            raise InputError(f"--weights {text}: say which task it is for", hint=f"--weights {names[0]}={text}")
    return chosen


def _finder(predictors: list[Predictor], boxes: Path | None, whole_image: bool) -> PeopleFinder | None:
    top_down = next((p for p in predictors if p.task.top_down), None)
    if top_down is None:
        if boxes is not None or whole_image:
            raise InputError("--boxes and --whole-image are for pose; the other tasks work on whole pictures")
        return None
    if boxes is None:
        finder = top_down.people_finder(whole_image=whole_image)
        if not whole_image:
            finder.load()
        return finder
    from sapiens.detection import load_boxes

    table = load_boxes(boxes)
    return top_down.people_finder(boxes=lambda item: table.lookup(item.source.id), whole_image=whole_image)


def _mask(mask: str | None) -> MaskOf | None:
    if mask is None:
        return None
    from sapiens.inference.masks import mask_from_path, mask_from_task

    return mask_from_task(mask) if mask in ("seg", "matting") else mask_from_path(Path(mask))


class Report:
    """Says what became of each picture, and sums up at the end."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._json, self._quiet = as_json, quiet
        self._failed: list[Item] = []
        self._done = 0
        self._start = time.perf_counter()
        self._notes: Callable[[str], None] = (lambda text: None) if quiet else (lambda text: say("note", text))

    def add(self, item: Item) -> None:
        """Note one finished or failed picture."""
        from sapiens.inference.predictor import NANO_NOTE

        if item.error is not None:
            self._failed.append(item)
        else:
            self._done += 1
        if self._json:
            put(json.dumps(self._line(item)))
        for note in item.notes:
            if note == NANO_NOTE:
                # True of the whole run, and said once when the network was loaded.
                continue
            self._notes(f"{item.source.id}: {note}")

    def close(self, out: Path, run_files: list[Path]) -> None:
        """Sum up; list the failures last.

        Raises:
            typer.Exit: with code 1 if any picture failed.
        """
        seconds = time.perf_counter() - self._start
        if not self._quiet:
            count = f"{self._done} picture" + ("" if self._done == 1 else "s")
            say("done", f"{count} in {seconds:.1f} s, written to {out}")
        for path in run_files:
            self._notes(f"{path} holds the whole run")
        for item in self._failed:
            if isinstance(item.error, SapiensError):
                say_error(item.error)
        if self._failed:
            say("failed", f"{len(self._failed)} of {len(self._failed) + self._done} pictures")
            raise typer.Exit(1)

    @staticmethod
    def _line(item: Item) -> dict[str, Any]:
        line: dict[str, Any] = {"input": item.source.id, "status": "failed" if item.error else "done"}
        if item.error is not None:
            return line | {"error": item.error.message, "hint": item.error.hint}
        return line | {
            "files": [str(f) for f in item.files],
            "notes": list(item.notes),
            "seconds": round(item.seconds, 3),
        }
