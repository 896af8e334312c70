"""`sapiens train`: one task, or several on one backbone, on own data or procedural people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import say, say_error
from sapiens.errors import InputError, MissingDependencyError, StoppedError

if TYPE_CHECKING:
    from sapiens.cli.train_lines import Lines
    from sapiens.config import Recipe
    from sapiens.imaging.sample import Sample
    from sapiens.training.board import Board
    from sapiens.training.loop import Trainer
    from sapiens.training.origin import Origin

SIGNALLED = 128
"""Exit codes after a signal are this plus its number."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train")(train)


def train(
    tasks: Annotated[str, typer.Argument(metavar="TASK[,TASK]", help="pose, seg, normal, pointmap, matting, albedo.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
    data: Annotated[
        str | None, typer.Option(help="What to learn from: [FORMAT:]PATH[,OPTION=VALUE...], as in docs/data.md.")
    ] = None,
    val: Annotated[
        str | None, typer.Option(help="What to measure on while training; chooses the best weights.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano.")] = None,
    start: Annotated[
        str | None,
        typer.Option(help="nothing, backbone (new head) or task. Default: what --weights is, else backbone."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Checkpoint or folder to start from.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="Settings to change, .toml or .json.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="One setting to change, e.g. optim.lr=1e-4; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and what memory it takes.")] = False,
    device: Annotated[str, typer.Option(help="auto, or cpu to keep off the GPU.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Each log line as JSON on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Train a network and write it to OUT/model.safetensors, which `--weights OUT` of the other verbs takes.

    Several processes: `torchrun --standalone --nproc-per-node N -m sapiens.cli.main train ...`, or accelerate launch.
    Ctrl-C saves the run (exit code 130); --resume goes on with it, to the same weights as if it had never stopped.
    """
    from sapiens.env import process_rank

    if device not in ("auto", "cpu"):
        raise InputError(f"--device {device}: expected auto or cpu", hint="CUDA_VISIBLE_DEVICES=1 chooses a GPU")
    wishes = _Wishes(out, resume, dry_run, None if device == "auto" else device, as_json, quiet or process_rank() > 0)
    if resume:
        fixed = {"--size": size, "--start": start, "--weights": weights, "--recipe": recipe}
        plan, origin = _stored(tasks, out, [name for name, value in fixed.items() if value is not None])
        plan, origin = _changed(plan, origin, change or [], data, val)
    else:
        plan, origin = _new(tasks, size, recipe, change or [], data, val, start, weights)
    samples, val_samples, origin = _open(plan, origin, resume=resume)
    _run(plan, origin, samples, val_samples, wishes)


@dataclass(frozen=True)
class _Wishes:
    """How a run is to be done, whatever it is."""

    out: Path
    resume: bool
    dry_run: bool
    device: str | None
    as_json: bool
    quiet: bool


def _new(
    tasks: str,
    size: str | None,
    file: Path | None,
    settings: Sequence[str],
    data: str | None,
    val: str | None,
    start: str | None,
    weights: Path | None,
) -> tuple[Recipe, Origin]:
    from sapiens.training.origin import Origin, choose_start, resolve

    if data is None:
        raise InputError("train: nothing to learn from", hint="--data parts/train, or --data synth:count=5000")
    if size is None:
        raise InputError("train: expected a size", hint="--size nano, 0.1b, 0.4b, 0.8b, 1b, 1b-4k or 5b")
    recipe = resolve(tasks, size, file=file, settings=settings)
    begin: Any = choose_start(start, recipe.size, weights)
    return recipe, Origin(data, val or "", 0, 0, begin, str(weights or ""))


def _stored(tasks: str, out: Path, fixed: Sequence[str]) -> tuple[Recipe, Origin]:
    """Recipe and origin of a run; options that cannot change any more are refused."""
    from sapiens.training.lesson import split_tasks
    from sapiens.training.origin import read_origin, read_recipe

    if fixed:
        raise InputError(f"--resume: {', '.join(fixed)} is what the run was started with", "leave it out")
    recipe = read_recipe(out)
    if split_tasks(tasks) != split_tasks(recipe.task):
        raise InputError(f"{out}: is a run of {recipe.task}, not of {tasks}")
    return recipe, read_origin(out)


def _changed(
    recipe: Recipe, origin: Origin, settings: Sequence[str], data: str | None, val: str | None
) -> tuple[Recipe, Origin]:
    """The same with settings that change no weight (the trainer refuses others), and data that has moved."""
    from sapiens.config import apply, parse_settings

    moved = replace(origin, data=origin.data if data is None else data, val=origin.val if val is None else val)
    return apply(recipe, parse_settings(settings)), moved


def _open(recipe: Recipe, origin: Origin, *, resume: bool) -> tuple[Sequence[Sample], Sequence[Sample] | None, Origin]:
    """The data, looked over; of a resumed run it must hold as many records as before."""
    from sapiens.datasets import open_data

    samples = open_data(origin.data, recipe.task)
    val_samples = open_data(origin.val, recipe.task) if origin.val else None
    if resume and len(samples) != origin.records:
        raise InputError(f"{origin.data}: {len(samples)} records; the run was started with {origin.records}")
    return samples, val_samples, replace(origin, records=len(samples), val_records=len(val_samples or ()))


def _run(
    recipe: Recipe,
    origin: Origin,
    samples: Sequence[Sample],
    val_samples: Sequence[Sample] | None,
    wishes: _Wishes,
) -> None:
    from sapiens.cli.train_lines import Lines
    from sapiens.training.lesson import make_lesson
    from sapiens.training.loop import Trainer
    from sapiens.training.model import make_model
    from sapiens.training.plan import describe

    out, quiet, device = wishes.out, wishes.quiet, wishes.device
    model = make_model(recipe, origin.start, origin.weights or None)
    if not quiet:
        say("note", describe(recipe, origin, model, device))
    if wishes.dry_run:
        return
    _allow_tf32()
    trainer = Trainer(recipe, make_lesson(recipe), model, samples, out, device=device, resume=wishes.resume)
    if trainer.is_main:
        origin.write(out)
    with Lines(recipe, trainer.progress.update, as_json=wishes.as_json, quiet=quiet) as lines:
        _watch(trainer, samples if val_samples is None else val_samples, lines, measure=val_samples is not None)
        try:
            path = trainer.run()
        except StoppedError as error:
            lines.close()
            _say_stopped(error, recipe, out)
            raise typer.Exit(SIGNALLED + error.signal) from error
    if trainer.is_main:
        lines.end(path)


def _allow_tf32() -> None:
    """As the released training: on a GPU, float32 products may be computed in TF32. On a CPU nothing changes."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = True


def _watch(trainer: Trainer, samples: Sequence[Sample], lines: Lines, *, measure: bool) -> None:
    """Let the trainer report, draw these pictures, and measure on them."""
    from sapiens.training.pictures import Gallery
    from sapiens.training.validation import Validation

    recipe, out, device = trainer.recipe, trainer.folder, trainer.device
    board = _board(trainer, lines)
    trainer.report = board.beside(lines) if board else lines
    if measure:
        trainer.validate = Validation(recipe, samples, device)
    if recipe.pictures_every:
        trainer.draw = Gallery(recipe, samples, out / "pictures", device, board.picture if board else None)


def _board(trainer: Trainer, lines: Lines) -> Board | None:
    """TensorBoard on the main process; where it is not installed, that is said once."""
    from sapiens.training.board import Board

    if not trainer.is_main:
        return None
    try:
        return Board(trainer.folder / "tensorboard", trainer.progress.update)
    except MissingDependencyError as error:
        if not lines.silent:
            say("note", f"no curves: {error.message}; {error.hint}")
        return None


def _say_stopped(error: StoppedError, recipe: Recipe, out: Path) -> None:
    from sapiens.env import process_rank

    if process_rank() == 0:
        error.hint = f"sapiens train {recipe.task} -o {out} --resume"
        say_error(error)
