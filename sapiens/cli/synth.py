"""`sapiens synth`: pictures of procedural people and their exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import progress, put
from sapiens.errors import InputError

if TYPE_CHECKING:
    from sapiens.synth import SceneBatch

BATCH = 8


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("synth")(synth)


def synth(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("synth-out"),
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Pictures, or frames of a clip.")] = 16,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.")] = 0,
    size: Annotated[str, typer.Option(help="Height x width in pixels.")] = "256x192",
    people: Annotated[int, typer.Option(min=1, max=4, help="At most this many persons a picture.")] = 1,
    clip: Annotated[bool, typer.Option("--clip", help="Successive frames of a moving scene.")] = False,
) -> None:
    """Render people: NAME.png with NAME_truth.npz (all truth), NAME_labels.png and NAME_normals.png beside it."""
    from sapiens.cli.predict import make_folder
    from sapiens.synth import render, render_clip

    size_hw = _size(size)
    make_folder(out)
    with progress("synth", count) as advance:
        if clip:
            batches = [render_clip(seed, count, size_hw, people=(1, people))]
        for start in range(0, count, count if clip else BATCH):
            many = min(BATCH, count - start)
            batch = batches[0] if clip else render(seed, many, size_hw, people=(1, people), first=start)
            for k in range(len(batch)):
                put(str(_write(batch, k, out / f"{'frame' if clip else 'person'}_{start + k:05d}")))
                advance()


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise InputError(f"--size {text!r}: expected HEIGHTxWIDTH", hint="for example --size 256x192")
    return int(height), int(width)


def _write(batch: SceneBatch, k: int, stem: Path) -> Path:
    from dataclasses import fields

    from sapiens.drawing.palette import to_picture
    from sapiens.imaging.write import write_image, write_npz

    arrays: dict[str, Any] = {field.name: getattr(batch, field.name)[k].numpy() for field in fields(batch)}
    image = arrays.pop("image").transpose(1, 2, 0)
    write_npz(stem.with_name(f"{stem.name}_truth.npz"), arrays)
    write_image(stem.with_name(f"{stem.name}_labels.png"), arrays["labels"])
    write_image(
        stem.with_name(f"{stem.name}_normals.png"), to_picture(arrays["normals"].transpose(1, 2, 0) * 0.5 + 0.5)
    )
    return write_image(stem.with_name(f"{stem.name}.png"), image)
