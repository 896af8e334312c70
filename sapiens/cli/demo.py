"""`sapiens demo`: all six tasks on a photograph and on procedural people, a contact sheet each, no questions asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import put, say

if TYPE_CHECKING:
    from PIL import Image

    from sapiens.inference.predictor import Predictor

ASSETS = Path(__file__).parents[1] / "assets"
PHOTO = ASSETS / "astronaut.png"
PERSON_XYXY = (18.0, 12.0, 364.0, 511.0)
"""The person in the sample photograph, marked by hand, so that pose needs no detector here."""
PEOPLE_SEED, PEOPLE, PEOPLE_HW = 900_003, 3, (512, 384)
"""Procedural people of the second sheet; nano was not trained on this seed."""

NANO = (
    "NANO where it says so: no released weights were found or could be reached, so the embedded nano stands in. It was "
    "trained on procedural figures only; on a photograph its panels show what it makes of one, which is not the "
    "quality of the released models. `sapiens download TASK --size 0.4b` fetches those."
)
RELEASED = "Released weights throughout."
PROCEDURAL = (
    "Figures rendered by sapiens.synth with a seed nano was never trained on, and what nano, a network of a few "
    "million parameters, predicts for them. Boxes of the people are the true ones; normals, points and albedo are "
    "shown where nano finds body parts."
)


@dataclass(frozen=True)
class Shown:
    """One finished task: what the sheet says and shows."""

    title: str
    small_print: str
    picture: Image.Image
    released: bool


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("demo-out"),
    size: Annotated[str, typer.Option(help="Model size; matting uses 1b where only that is released.")] = "0.4b",
    photo: Annotated[Path | None, typer.Option(help="Your own photograph instead of the sample.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the Hub.")] = False,
) -> None:
    """Run all six tasks on a photograph and on procedural people; write results and two sheets, and print where."""
    from sapiens.cli.predict import make_folder

    make_folder(out)
    photo_sheet(out, size, photo, offline=offline)
    people_sheet(out)


def photo_sheet(out: Path, size: str, photo: Path | None, *, offline: bool) -> None:
    """All tasks on one photograph, their files, and `contact_sheet.png`."""
    from PIL import Image

    from sapiens.drawing.sheet import contact_sheet
    from sapiens.imaging.read import read_image
    from sapiens.tasks import TASKS

    picture = photo or PHOTO
    shown = [_one_task(name, size, picture, out, sample=photo is None, offline=offline) for name in TASKS]
    note = RELEASED if all(panel.released for panel in shown) else NANO
    first = ("photograph", "Eileen Collins, NASA, public domain" if photo is None else picture.name,
             Image.fromarray(read_image(picture)))  # fmt: skip
    panels = [first, *((panel.title, panel.small_print, panel.picture) for panel in shown)]
    sheet = out / "contact_sheet.png"
    contact_sheet(panels, title=f"sapiens: six tasks on {picture.name}", note=note).save(sheet)
    if note == NANO:
        say("note", NANO)
    put(str(sheet))


def people_sheet(out: Path) -> None:
    """All tasks on procedural people with nano: `procedural_sheet.png`."""
    import numpy as np
    from PIL import Image

    from sapiens.drawing.sheet import contact_sheet
    from sapiens.inference.predictor import load
    from sapiens.synth import render
    from sapiens.tasks import TASKS
    from sapiens.tasks.base import MaskedResult

    scenes = render(PEOPLE_SEED, PEOPLE, PEOPLE_HW)
    images = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in scenes.image]
    columns: list[tuple[str, list[Any]]] = [("picture", [Image.fromarray(image) for image in images])]
    people = [found.labels > 0 for found in load("seg", "nano")(images)]
    for name in TASKS:
        predictor = load(name, "nano")
        boxes = [scenes.boxes_xyxy[k][scenes.present[k]].numpy() for k in range(PEOPLE)]
        results = predictor(images, boxes=boxes if predictor.task.top_down else None,
                            masks=people if issubclass(predictor.task.result, MaskedResult) else None)  # fmt: skip
        columns.append((predictor.task.title, [result.draw() for result in results]))
    panels = [(title, f"figure {k + 1}", drawn[k]) for k in range(PEOPLE) for title, drawn in columns]
    sheet = out / "procedural_sheet.png"
    contact_sheet(
        panels, title="sapiens nano: six tasks on procedural people", note=PROCEDURAL, columns=len(columns), cell=240
    ).save(sheet)
    put(str(sheet))


def _one_task(name: str, size: str, photo: Path, out: Path, *, sample: bool, offline: bool) -> Shown:
    """Load one network, run it, write its files, and let it go before the next."""
    from sapiens.imaging.read import read_image
    from sapiens.inference.engine import run
    from sapiens.inference.exports import Writer, known_kinds
    from sapiens.inference.predictor import picture_source
    from sapiens.inference.results import load_result

    start = time.perf_counter()
    predictor, released = _predictor(name, size, offline=offline)
    loaded = time.perf_counter()
    task = predictor.task
    boxes = [PERSON_XYXY] if sample else None
    finder = predictor.people_finder(boxes=lambda item: boxes, whole_image=not sample) if task.top_down else None
    kinds = [kind for kind in known_kinds([task]) if kind != "mesh"]
    writer = Writer(out, [Path(photo.stem)], [task], kinds)
    (item,) = run([picture_source(photo, 0)], [predictor], find=finder, write=writer)
    if item.error is not None:
        raise item.error
    writer.close()
    seconds = time.perf_counter() - loaded
    saved = next(path for path in item.files if path.suffix == ".npz")
    weights = "released" if released else "NANO"
    say(name, f"{predictor.name}, {weights}: "
        f"loaded in {loaded - start:.1f} s, predicted in {seconds:.1f} s, written to {saved.parent}")  # fmt: skip
    drawn = load_result(saved).draw(read_image(photo))
    return Shown(task.title, f"{predictor.name}, {weights}", drawn, released)


def _predictor(name: str, size: str, *, offline: bool) -> tuple[Predictor, bool]:
    """The released network where it can be had, else nano; and whether it is the released one."""
    from sapiens.errors import WeightsError
    from sapiens.inference.predictor import load
    from sapiens.tasks import get_task
    from sapiens.weights import find_local, hub_reachable

    released = get_task(name).released
    chosen = released[0] if released and size not in released else size
    if size != "nano" and (find_local(name, chosen) is not None
                           or (chosen in released and not offline and hub_reachable())):  # fmt: skip
        try:
            return load(name, chosen), True
        except WeightsError as error:
            say("warning", f"{name}: {error.message}; nano stands in")
    return load(name, "nano"), False
