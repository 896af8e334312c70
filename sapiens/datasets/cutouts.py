"""The format "rgba": people cut out, colour and alpha in one file, to be put before backgrounds while training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from sapiens.datasets.files import read_levels
from sapiens.datasets.mattes import require_someone, split_rgba
from sapiens.datasets.records import Record, Records
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample

SUFFIXES = (".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class CutoutOptions:
    """What a spec may set.

    Attributes:
        colour: "straight", or "premultiplied" by alpha.
    """

    colour: Literal["straight", "premultiplied"] = "straight"


OPTIONS = CutoutOptions


def open_format(path: Path, options: CutoutOptions, task: str) -> Records:
    """RGBA pictures of a folder and those below it, or of a text file with one path a line (relative to the file).

    Raises:
        InputError: no such pictures.
    """
    if path.is_dir():
        found = [f for f in sorted(path.rglob("*")) if f.suffix.lower() in SUFFIXES]
        found = [f for f in found if not any(part.startswith(".") for part in f.relative_to(path).parts)]
        base = path
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a list of paths ({error})") from error
        base = path.parent
        found = [base / line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{path}: no RGBA pictures ({', '.join(SUFFIXES)})")
    records = [Record((f.relative_to(base) if f.is_relative_to(base) else f).as_posix(), {"image": f}) for f in found]
    return Records(path, records, partial(read_cutout, options=options))


def read_cutout(record: Record, options: CutoutOptions) -> Sample:
    """A person before black, with alpha and premultiplied foreground; `extra["needs_background"]` is 1.

    The picture is the premultiplied colour truncated to 8 bits, as the released reader has it.

    Raises:
        InputError: a file that cannot be used, without an alpha channel, or with nobody in it.
    """
    path = record.files["image"]
    values = read_levels(path, colours=True)
    if values.ndim != 3 or values.shape[2] != 4:
        raise InputError(f"{path}: no alpha channel; expected RGBA")
    foreground, alpha = split_rgba(values, options.colour, str(path))
    require_someone(alpha, str(path))
    # Half a thousandth of a level: 255 * float32(v / 255) may lie just below v.
    image = (foreground * 255 + 5e-4).astype(np.uint8)
    return Sample(image, record.name, {"alpha": alpha, "foreground": foreground}, {"needs_background": 1})
