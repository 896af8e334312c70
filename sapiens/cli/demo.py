"""`sapiens demo`: all six tasks on one photograph, one contact sheet, no questions asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sapiens.cli.console import put, say

if TYPE_CHECKING:
    from PIL import Image

    from sapiens.inference.predictor import Predictor

ASSETS = Path(__file__).parents[1] / "assets"
PHOTO = ASSETS / "astronaut.png"
PERSON_XYXY = (18.0, 12.0, 364.0, 511.0)
"""The person in the sample photograph, marked by hand, so that pose needs no detector here."""

UNTRAINED = (
    "UNTRAINED WEIGHTS where it says so: the networks are real and full-size, their numbers are not. No released "
    "weights were found or could be reached, so repeatable untrained ones stand in; these panels show that the "
    "machinery works, and nothing about the person. `sapiens download TASK --size 0.4b` fetches the released weights."
)
TRAINED = "Released weights throughout."


@dataclass(frozen=True)
class Shown:
    """One finished task: what the sheet says and shows."""

    title: str
    small_print: str
    picture: Image.Image
    trained: bool


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("demo-out"),
    size: Annotated[str, typer.Option(help="Model size; matting uses 1b where only that is released.")] = "0.4b",
    photo: Annotated[Path | None, typer.Option(help="Your own photograph instead of the sample.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach the Hub.")] = False,
) -> None:
    """Run all six tasks on a photograph; write the results and a contact sheet, and print where."""
    from PIL import Image

    from sapiens.cli.predict import make_folder
    from sapiens.drawing.sheet import contact_sheet
    from sapiens.imaging.read import read_image
    from sapiens.tasks import TASKS

    make_folder(out)
    picture = photo or PHOTO
    shown = [_one_task(name, size, picture, out, sample=photo is None, offline=offline) for name in TASKS]
    note = TRAINED if all(panel.trained for panel in shown) else UNTRAINED
    first = ("photograph", "Eileen Collins, NASA, public domain" if photo is None else picture.name,
             Image.fromarray(read_image(picture)))  # fmt: skip
    panels = [first, *((panel.title, panel.small_print, panel.picture) for panel in shown)]
    sheet = out / "contact_sheet.png"
    contact_sheet(panels, title=f"sapiens: six tasks, {size}", note=note).save(sheet)
    if note == UNTRAINED:
        say("warning", UNTRAINED)
    put(str(sheet))


def _one_task(name: str, size: str, photo: Path, out: Path, *, sample: bool, offline: bool) -> Shown:
    """Load one network, run it, write its files, and let it go before the next."""
    from sapiens.imaging.read import read_image
    from sapiens.inference.engine import run
    from sapiens.inference.exports import Writer, known_kinds
    from sapiens.inference.predictor import picture_source
    from sapiens.inference.results import load_result

    start = time.perf_counter()
    predictor, trained = _predictor(name, size, offline=offline)
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
    say(name, f"{predictor.name}, {'released' if trained else 'UNTRAINED'} weights: "
        f"loaded in {loaded - start:.1f} s, predicted in {seconds:.1f} s, written to {saved.parent}")  # fmt: skip
    drawn = load_result(saved).draw(read_image(photo))
    return Shown(task.title, f"{predictor.name}, {'released' if trained else 'UNTRAINED'}", drawn, trained)


def _predictor(name: str, size: str, *, offline: bool) -> tuple[Predictor, bool]:
    from sapiens.errors import WeightsError
    from sapiens.inference.predictor import load
    from sapiens.tasks import get_task
    from sapiens.weights import find_local, hub_reachable

    released = get_task(name).released
    chosen = released[0] if released and size not in released else size
    if find_local(name, chosen) is not None or (chosen in released and not offline and hub_reachable()):
        try:
            return load(name, chosen), True
        except WeightsError as error:
            say("warning", f"{name}: {error.message}; untrained weights stand in")
    return load(name, size, weights="untrained"), False
