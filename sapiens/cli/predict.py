"""`sapiens predict`: one or several tasks over any number of pictures and clips."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.assemble import find_masks, load_predictors, make_follower, make_steadier, pick_detail, pick_devices
from sapiens.cli.console import progress, say
from sapiens.cli.report import Report
from sapiens.errors import InputError, SapiensError

if TYPE_CHECKING:
    from sapiens.inference.clips import Clip
    from sapiens.inference.fleet import Fleet
    from sapiens.inference.item import Item, Source
    from sapiens.inference.outputs import Outputs
    from sapiens.inference.predictor import Predictor


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict")(predict)


def predict(
    tasks: Annotated[str, typer.Argument(metavar="TASK[,TASK]", help="pose, seg, normal, pointmap, matting, albedo.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, clips, folders, globs, plate.%04d.png, .txt lists, rtsp://..., camera:0, or - (stdin).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    size: Annotated[
        str | None, typer.Option(help="0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano. Default 1b; nano if there is no 1b.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="Checkpoint, or TASK=checkpoint once per task; 'untrained' to try things.")
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            help="What to write: picture, npz, and the task's own (an unknown one lists them); for whole clips video, "
            "jsonl, parquet, prores, vp9. Default picture,npz; for clips video,jsonl."
        ),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders below a folder.")] = False,
    boxes: Annotated[Path | None, typer.Option(help="Person boxes: JSON by file name, or COCO.")] = None,
    detector: Annotated[str | None, typer.Option(help="Person detector: name or local folder.")] = None,
    whole_image: Annotated[bool, typer.Option(help="Pose: take each picture as one person.")] = False,
    per_person: Annotated[
        bool, typer.Option("--per-person", help="Dense tasks: look at every person closely, too, and paste that in.")
    ] = False,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="Dense tasks: look at large pictures in tiles of full resolution, too.")
    ] = False,
    mask: Annotated[
        str | None, typer.Option(help="Foreground for normal, pointmap, albedo: seg, matting, a mask, or a folder.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-O", help="A task's own switch, e.g. flip=false.")
    ] = None,
    side_by_side: Annotated[bool, typer.Option(help="Pictures as [input | result].")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    devices: Annotated[
        str | None, typer.Option(help="Several GPUs at once, as 0,1: one worker each, one output.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, int8 (CPUs).")] = "auto",
    compat: Annotated[str, typer.Option(help="default, or reference: every number as the original.")] = "default",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Network inputs per pass.")] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="CUDA: compile the networks; the first pass takes minutes.")
    ] = False,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Largest picture to decode, in pixels.")] = None,
    frames: Annotated[str | None, typer.Option(help="Frames of clips: START:STOP:STEP, as 10:200:2.")] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of numbered pictures.")] = 25.0,
    sequence: Annotated[bool, typer.Option("--sequence", help="Take the pictures of a folder as one clip.")] = False,
    detect_every: Annotated[int, typer.Option(min=1, help="Clips: look for people in every so many frames.")] = 1,
    subject: Annotated[str, typer.Option(help="People: all, largest, centre, id:N or box:X1,Y1,X2,Y2.")] = "all",
    smooth: Annotated[bool, typer.Option("--smooth", help="Clips, pose: steady the keypoints (One-Euro).")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Do what an earlier run into OUT has not done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Predict on pictures and clips, and write the results.

    Results go to OUT/TASK/, named like their inputs; OUT/manifest.jsonl says what became of each. A picture that fails
    is reported, listed again at the end, and makes the exit code 1; the others are still done.
    """
    from sapiens.imaging.frame_range import FrameRange
    from sapiens.inference.engine import run
    from sapiens.inference.exports import Writer
    from sapiens.inference.manifest import Manifest
    from sapiens.inference.naming import check_beside, check_output, output_stems
    from sapiens.inference.outputs import Outputs, still_to_do
    from sapiens.inference.sources import find_sources
    from sapiens.tasks import get_task

    names = listed(tasks)
    if not names:
        raise InputError(f"no task in {tasks!r}", hint="one or several of pose, seg, normal, pointmap, matting, albedo")
    wanted = [get_task(name) for name in names]
    taken = FrameRange.parse(frames) if frames is not None else None
    found = find_sources(
        inputs, recursive=recursive, stdin=sys.stdin.buffer, max_pixels=max_pixels,
        frames=taken, fps=fps, sequence=sequence,
    )  # fmt: skip
    check_output(out, found.folders)
    stems = output_stems(found.sources, found.bases)
    kinds = listed(save) if save is not None else None
    writer = Writer(out, stems, wanted, kinds, side_by_side=side_by_side, clips=found.numbered_clips)
    check_beside(writer.folders, found.sources)
    make_folder(out)
    if found.skipped and not quiet:
        say("note", f"{len(found.skipped)} files in the input folders are not pictures and are left alone")
    for note in [] if quiet else found.notes:
        say("note", note)

    # The task that makes the masks runs before those that use them, wherever it was named.
    first = [mask] if mask in ("seg", "matting") else []
    order = first + [name for name in names if name not in first]
    settings: dict[str, Any] = {"dtype": dtype, "compat": compat, "batch_size": batch_size, "compile": compile}
    chosen = pick_devices(device, devices)
    detail = pick_detail(per_person, tiles, order)
    predictors = load_predictors(
        order, size, per_task(weights or [], order), detector, option or [], chosen, settings, detail
    )
    finder = make_follower(predictors, boxes, whole_image, detect_every, subject)
    steadier = make_steadier(predictors, smooth, bool(found.clips))
    masks = find_masks(mask)
    report = Report(as_json=as_json, quiet=quiet)
    choices = {
        "tasks": names, "compat": compat, "save": kinds, "side_by_side": side_by_side,
        "boxes": _absolute(boxes), "detector": detector, "whole_image": whole_image,
        "mask": mask if mask in ("seg", "matting") else _absolute(mask), "max_pixels": max_pixels,
        "frames": str(taken) if taken is not None else None, "fps": fps, "sequence": sequence,
        "detect_every": detect_every, "subject": subject, "smooth": smooth,
        "detail": detail if detail != "whole" else None,
    }  # fmt: skip
    weights_used = {p.task.name: p.digest for p in predictors}
    manifest = Manifest(out, choices | _networks(predictors), weights_used, resume=resume)
    by_frame = finder is None and steadier is None
    todo = still_to_do(found.sources, writer, manifest, by_frame=by_frame) if resume else found.sources
    outputs = Outputs(writer, manifest, report.add_clip)
    run_items = run(
        todo, predictors, find=finder, mask=masks, refine=steadier, write=outputs.write, collect=outputs.collect
    )
    bar = progress(",".join(names), _total(todo), quiet=quiet or as_json)
    files = _drain(run_items, outputs, report, bar)
    if steadier is not None and not quiet:
        say("note", f"smoothing: {steadier.report}")
    report.close(out, files, earlier=len(found.sources) - len(todo))


def _drain(
    run_items: Generator[Item, None, None],
    outputs: Outputs,
    report: Report,
    bar: AbstractContextManager[Callable[[], None]],
) -> list[Path]:
    """Move everything through the engine; returns the files of the whole run. Whatever happens, outputs are closed."""
    whole, files = False, []
    try:
        with closing(run_items) as items, bar as advance:
            for item in items:
                report.add(item)
                advance()
        whole = True
    except SapiensError as error:  # a full disk: no picture after this one could be done
        report.stop(error)
    finally:
        files = outputs.close(whole=whole)
    return files


def _networks(predictors: Sequence[Predictor | Fleet]) -> dict[str, str]:
    """What the manifest says of the networks besides their weights."""
    models = {f"{p.task.name} model": f"{p.name} in {p.dtype_name}" for p in predictors}
    options = {f"{p.task.name} options": str(p.setup.options) for p in predictors if p.setup.options is not None}
    return models | options


def _absolute(path: str | Path | None) -> str | None:
    return str(Path(path).absolute()) if path is not None else None


def _total(sources: Sequence[Source | Clip]) -> int | None:
    """Pictures and frames, if all clips know how many they have."""
    counts = [getattr(source, "count", 1) for source in sources]
    return None if None in counts else sum(counts)


def listed(text: str) -> list[str]:
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


def per_task(weights: list[str], names: list[str]) -> dict[str, str]:
    """Checkpoint of each task, from texts "PATH" or "TASK=PATH".

    Raises:
        InputError: a path without its task where there are several.
    """
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
