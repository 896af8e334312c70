"""A contact sheet: pictures in a grid, each with a caption, with a heading and a line of small print."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

INK, PAPER, SOFT = (24, 24, 27), (250, 250, 249), (113, 113, 122)
_GAP, _CAPTION, _HEAD = 16, 44, 64


def contact_sheet(
    panels: Sequence[tuple[str, str, Image.Image]], *, title: str, note: str, columns: int = 4, cell: int = 360
) -> Image.Image:
    """Arrange pictures on one sheet.

    Args:
        panels: (caption, small print, picture); pictures keep their aspect ratio inside a square cell.
        title: heading.
        note: what a reader must know before believing the sheet; wrapped below the heading.
        columns: cells per row.
        cell: side of a cell in pixels.
    """
    columns = min(columns, max(len(panels), 1))
    rows = math.ceil(len(panels) / columns)
    width = columns * (cell + _GAP) + _GAP
    small, medium, large = (ImageFont.load_default(size) for size in (14, 18, 28))
    lines = _wrap(note, small, width - 2 * _GAP)
    top = _HEAD + 20 * len(lines) + _GAP
    sheet = Image.new("RGB", (width, top + rows * (cell + _CAPTION + _GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), title, INK, large)
    for number, line in enumerate(lines):
        pen.text((_GAP, _HEAD + 20 * number), line, SOFT, small)
    for index, (caption, print_, picture) in enumerate(panels):
        x = _GAP + (index % columns) * (cell + _GAP)
        y = top + (index // columns) * (cell + _CAPTION + _GAP)
        fitted = _fit(picture.convert("RGB"), cell)
        sheet.paste(fitted, (x + (cell - fitted.width) // 2, y + (cell - fitted.height) // 2))
        pen.text((x, y + cell + 2), caption, INK, medium)
        pen.text((x, y + cell + 24), print_, SOFT, small)
    return sheet


def _fit(picture: Image.Image, cell: int) -> Image.Image:
    scale = cell / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _wrap(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
