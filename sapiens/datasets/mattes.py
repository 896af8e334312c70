"""The format "matting": pictures with their alpha, and with the foreground's colour where it is known.

The alpha file may hold four channels: straight colour and alpha, as in the released lists of {"image", "mask"}.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sapiens.datasets.files import ARRAYS, EXR, PICTURES, read_numbers, read_unit, to_unit
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample

ROLES = (
    IMAGE,
    Role("alpha", ("alpha", "alphas", "matte", "mask", "masks"), PICTURES + ARRAYS + EXR + (".webp", ".jpg", ".jpeg")),
    Role(
        "foreground", ("foreground", "foregrounds", "fg"), PICTURES + ARRAYS + (".webp", ".jpg", ".jpeg"), needed=False
    ),
)


@dataclass(frozen=True)
class MatteOptions:
    """What a spec may set.

    Attributes:
        colour: of the foreground: "straight", or "premultiplied" by alpha.
        image, alpha, foreground: folders of these files; "": the usual names.
    """

    colour: Literal["straight", "premultiplied"] = "straight"
    image: str = ""
    alpha: str = ""
    foreground: str = ""


OPTIONS = MatteOptions


def open_format(path: Path, options: MatteOptions, task: str) -> Records:
    """Pictures with alpha."""
    folders = {name: getattr(options, name) for name in ("image", "alpha", "foreground")}
    return open_records(path, ROLES, partial(read_matte, options=options), folders)


def read_matte(record: Record, options: MatteOptions) -> Sample:
    """A picture with alpha, and premultiplied foreground where it is known.

    Raises:
        InputError: a file that cannot be used, sizes that differ, values outside 0..1, NaN, or nobody in the matte.
    """
    image = read_image(record.files["image"])
    path = record.files["alpha"]
    values = read_numbers(path, ("alpha", "mask"), colours=True)
    fields: dict[str, npt.NDArray[Any]]
    if values.ndim == 3 and values.shape[2] == 4:
        colour, alpha = split_rgba(values, options.colour, str(path))
        fields = {"alpha": alpha, "foreground": colour}
    else:
        fields = {"alpha": one_channel(values, str(path))}
    require_someone(fields["alpha"], str(path))
    if "foreground" in record.files:
        file = record.files["foreground"]
        colour = read_unit(file, ("foreground",))
        fields["foreground"] = premultiply(colour, fields["alpha"], options.colour, str(file))
    return Sample(image, record.name, fields)


def one_channel(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    """Alpha (H, W) in 0..1 from one channel or from equal ones.

    Raises:
        InputError: channels that differ, values outside 0..1, or NaN.
    """
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise InputError(f"{name}: channels that differ; expected alpha in one channel, or RGBA")
        values = values[..., 0]
    return to_unit(values, name)


def split_rgba(
    values: npt.NDArray[Any], colour: str, name: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Premultiplied foreground (H, W, 3) and alpha (H, W), both 0..1, from (H, W, 4)."""
    unit = to_unit(values, name)
    alpha = np.ascontiguousarray(unit[..., 3])
    return premultiply(unit[..., :3], alpha, colour, name), alpha


def premultiply(
    colour: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32], how: str, name: str
) -> npt.NDArray[np.float32]:
    """Colour times alpha; premultiplied colour is only held to be at most alpha.

    Raises:
        InputError: sizes that differ, no RGB, or premultiplied colour far above alpha, which straight colour would be.
    """
    if colour.ndim != 3 or colour.shape[2] < 3 or colour.shape[:2] != alpha.shape:
        raise InputError(
            f"{name}: foreground of shape {colour.shape}; expected RGB of {alpha.shape[0]}x{alpha.shape[1]} pixels"
        )
    colour = colour[..., :3]
    if how == "straight":
        return np.ascontiguousarray(colour * alpha[..., None])
    # Two levels of 8 bits: what rounding can make of it.
    if float((colour.max(-1) > alpha + 2 / 255).mean()) > 0.01:
        raise InputError(f"{name}: colour above alpha, so it is not premultiplied (option colour=straight)")
    return np.minimum(colour, alpha[..., None])


def require_someone(alpha: npt.NDArray[np.float32], name: str) -> None:
    """Raise for an empty matte.

    Raises:
        InputError: alpha is 0 everywhere.
    """
    if not (alpha > 0).any():
        raise InputError(f"{name}: alpha is 0 everywhere: nobody in the picture")
