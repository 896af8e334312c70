"""Draw the pictures of the tasks' pages: conventions, what nano makes of a procedural person, and the truth.

python scripts/task_pictures.py [FOLDER]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import sapiens
from sapiens.datasets import open_data
from sapiens.drawing.palette import to_picture
from sapiens.drawing.sheet import INK, PAPER, SOFT
from sapiens.evaluation.baselines import trivial_meta
from sapiens.tasks import TASKS
from sapiens.tasks.pointmap.draw import depth_bounds
from sapiens.tasks.seg.classes import PARTS
from sapiens.tasks.yardstick import get_yardstick

ROOT = Path(__file__).parents[1]
PERSON = "synth:seed=900016,count=1,size=384x288"
"""The person of the pages: what `sapiens synth -n 1 --seed 900016 --size 384x288` writes."""
SIZE = WIDTH, HEIGHT = 288, 384
GAP, CAPTION = 8, 26
RED, GREEN, BLUE = (200, 30, 30), (20, 140, 40), (40, 70, 210)
BACKDROP = (0, 120, 200)

Panel = tuple[str, Image.Image]


def draw_all(folder: Path) -> None:
    """Write TASK.jpg for every task, and all.jpg with one picture of each."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = open_data(PERSON, "seg")
    first = [("picture", Image.fromarray(samples[0].image))]
    for task in TASKS:
        sample = open_data(PERSON, task)[0]
        found = sapiens.load(task, "nano", device="cpu")(sample.image)
        true = get_yardstick(task).truth(sample, trivial_meta(task, "truth", sample))
        panels = PANELS[task](found, true)
        save(row(panels), folder / f"{task}.jpg")
        first.append((task, dict(panels)["nano"]))
    save(row(first, scale=0.6), folder / "all.jpg")


def pose(found: Any, true: Any) -> list[Panel]:
    """Pixel axes and two named points; skeletons."""
    picture = Image.fromarray(found.image)
    pen = ImageDraw.Draw(picture)
    arrow(pen, (4, 4), (90, 4), RED, "x")
    arrow(pen, (4, 4), (4, 90), GREEN, "y")
    pen.text((10, 8), "(0, 0)", INK, font(14), stroke_width=2, stroke_fill=PAPER)
    for name in ("left_wrist", "right_wrist"):
        mark(pen, true.keypoints[0, true.names.index(name)], name.replace("_", " "))
    return [("pixels of the picture", picture), ("nano", found.draw()), ("truth", true.draw())]


def seg(found: Any, true: Any) -> list[Panel]:
    """Parts over the picture, and which colour is which."""
    legend = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(legend)
    parts = [part for part in PARTS if part.name in true.areas()]
    step = min(22, HEIGHT // len(parts))
    for k, part in enumerate(parts):
        pen.rectangle((6, step * k + 3, 24, step * k + step - 2), part.colour_rgb)
        pen.text((32, step * k), f"{part.index}  {part.name}", INK, font(15))
    shown = [(name, result.draw(opacity=0.8)) for name, result in (("nano", found), ("truth", true))]
    return [("picture", Image.fromarray(found.image)), *shown, ("labels", legend)]


def normal(found: Any, true: Any) -> list[Panel]:
    """A ball whose colours are directions; normals of the person."""
    ball = Image.new("RGB", SIZE, PAPER)
    y, x = np.mgrid[1 : -1 : WIDTH * 1j, -1 : 1 : WIDTH * 1j]
    inside = x**2 + y**2 < 0.8
    xyz = np.stack([x, y, np.sqrt(np.maximum(0.8 - x**2 - y**2, 0))], -1) / math.sqrt(0.8)
    ball.paste(Image.fromarray(to_picture(xyz / 2 + 0.5)), (0, 48), Image.fromarray(inside))
    pen = ImageDraw.Draw(ball)
    middle = (WIDTH // 2, 48 + WIDTH // 2)
    arrow(pen, middle, (WIDTH - 14, middle[1]), RED, "+x right")
    arrow(pen, middle, (middle[0], 62), GREEN, "+y up")
    pen.ellipse([middle[0] - 8, middle[1] - 8, middle[0] + 8, middle[1] + 8], outline=BLUE, width=3)
    label(pen, (middle[0] - 50, middle[1] + 14), "+z to the viewer", BLUE)
    masked = found.with_mask(true.mask)
    return [
        ("axes", ball), ("picture", Image.fromarray(found.image)), ("nano", masked.draw()), ("truth", true.draw())
    ]  # fmt: skip


def pointmap(found: Any, true: Any) -> list[Panel]:
    """The camera's axes; depth in common colours."""
    axes = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(axes)
    origin, far = (70, 170), (196, 96)
    for corner in ((170, 60), (262, 60), (262, 170), (170, 170)):
        pen.line([origin, corner], SOFT, 1)
    pen.rectangle((170, 60, 262, 170), outline=SOFT)
    label(pen, (180, 36), "the picture", SOFT)
    arrow(pen, origin, (190, 218), RED, "x right")
    arrow(pen, origin, (70, 300), GREEN, "y down")
    arrow(pen, origin, far, BLUE, "z forward")
    pen.ellipse([origin[0] - 6, origin[1] - 6, origin[0] + 6, origin[1] + 6], INK)
    label(pen, (8, 138), "camera", INK)
    label(pen, (8, 340), "metres; depth is z", INK)
    bounds = depth_bounds([true])
    masked = found.with_mask(true.mask)
    low, high = (f"{bound:.1f}" for bound in bounds)
    return [
        ("axes", axes),
        (f"picture; red {low} m, blue {high} m", Image.fromarray(found.image)),
        ("nano", masked.draw(bounds=bounds)),
        ("truth", true.draw(bounds=bounds)),
    ]


def matting(found: Any, true: Any) -> list[Panel]:
    """Alpha, premultiplied colours, and the person over a colour."""
    return [
        ("picture", Image.fromarray(found.image)),
        ("alpha", Image.fromarray(to_picture(found.alpha))),
        ("foreground", Image.fromarray(to_picture(found.foreground))),
        ("nano", found.draw(background=BACKDROP)),
        ("truth", true.draw(background=BACKDROP)),
    ]


def albedo(found: Any, true: Any) -> list[Panel]:
    """Albedo, and the light that it leaves out."""
    light = np.divide(
        found.image / 255,
        true.albedo,
        out=np.zeros_like(true.albedo),
        where=(true.albedo > 0.02) & true.mask[..., None],
    )
    return [
        ("picture", Image.fromarray(found.image)),
        ("nano", found.with_mask(true.mask).draw()),
        ("truth", true.draw()),
        ("picture / truth: light", Image.fromarray(to_picture(light.mean(-1) / 1.2))),
    ]


PANELS: dict[str, Callable[[Any, Any], list[Panel]]] = {
    "pose": pose, "seg": seg, "normal": normal, "pointmap": pointmap, "matting": matting, "albedo": albedo,
}  # fmt: skip


def row(panels: Sequence[Panel], scale: float = 1) -> Image.Image:
    """Pictures side by side, each with its caption above."""
    size = round(WIDTH * scale), round(HEIGHT * scale)
    sheet = Image.new("RGB", (len(panels) * (size[0] + GAP) + GAP, size[1] + CAPTION + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for k, (caption, picture) in enumerate(panels):
        x = GAP + k * (size[0] + GAP)
        pen.text((x, 4), caption, INK, font(16))
        sheet.paste(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), (x, CAPTION))
    return sheet


def save(sheet: Image.Image, path: Path) -> None:
    """Write a JPEG with colours at full size: thin coloured lines matter here."""
    sheet.save(path, quality=85, subsampling=0, optimize=True)


def arrow(
    pen: ImageDraw.ImageDraw, start: tuple[int, int], end: tuple[int, int], colour: tuple[int, int, int], text: str
) -> None:
    """A line with a head and a word at its end."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    pen.line([start, end], colour, 4)
    sides = [(end[0] - 13 * math.cos(angle + s), end[1] - 13 * math.sin(angle + s)) for s in (0.45, -0.45)]
    pen.polygon([end, *sides], colour)
    wide = font(15).getlength(text)
    x = min(end[0] + 6, WIDTH - wide - 4) if start[0] == end[0] else min(end[0] - wide / 2, WIDTH - wide - 4)
    label(pen, (x, end[1] - 4 if start[0] == end[0] else end[1] + 8), text, colour)


def mark(pen: ImageDraw.ImageDraw, at: Any, text: str) -> None:
    """A ring around a point, with its name and place."""
    x, y = (float(v) for v in at)
    pen.ellipse([x - 6, y - 6, x + 6, y + 6], outline=RED, width=3)
    wide = font(15).getlength(text)
    label(pen, (min(max(x - wide / 2, 4), WIDTH - wide - 4), y + 10), text, RED)


def label(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
    """Text that can be read on anything."""
    pen.text(at, text, colour, font(15), stroke_width=2, stroke_fill=PAPER)


def font(size: int) -> Any:
    """Pillow's own."""
    return ImageFont.load_default(size)


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
