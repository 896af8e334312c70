"""The format "normals": unit vectors in npy, npz, PNG or EXR, in the released axes or those of OpenCV.

PNG holds 2 * level / 255 - 1 (8 bits) or 2 * level / 65535 - 1 (16 bits) in R, G, B = x, y, z; black is no normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sapiens.datasets.files import ARRAYS, EXR, PICTURES, read_mask, read_numbers, require_known
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample

MASK = Role("mask", ("mask", "masks"), PICTURES + ARRAYS + (".jpg", ".jpeg"), needed=False)
ROLES = (IMAGE, Role("normals", ("normals", "normal"), PICTURES + ARRAYS + EXR), MASK)
AXES = {"released": (1, 1, 1), "opencv": (1, -1, -1)}
SHORTEST, LONGEST, WRONG_SHARE = 0.5, 1.5, 0.01
"""Lengths that rounding or filtering can give a unit vector; beyond a share of others it is another encoding."""


@dataclass(frozen=True)
class NormalOptions:
    """What a spec may set.

    Attributes:
        axes: "released": x right, y up, z to the viewer; "opencv": x right, y down, z away, converted on read.
        nan: NaN inside a given mask: "refuse" the record, or leave those pixels "unknown" as the released reader does.
        image, normals, mask: folders of these files; "": the usual names.
    """

    axes: Literal["released", "opencv"] = "released"
    nan: Literal["refuse", "unknown"] = "refuse"
    image: str = ""
    normals: str = ""
    mask: str = ""


OPTIONS = NormalOptions


def open_format(path: Path, options: NormalOptions, task: str) -> Records:
    """Pictures with their normals."""
    folders = {"image": options.image, "normals": options.normals, "mask": options.mask}
    return open_records(path, ROLES, partial(read_normals, options=options), folders)


def read_normals(record: Record, options: NormalOptions) -> Sample:
    """A picture with unit normals (0 where unknown) and the mask of where they are known.

    Raises:
        InputError: a file that cannot be used, sizes that differ, NaN where the mask says known, vectors that are not
            of unit length, or hardly any pixel known.
    """
    image = read_image(record.files["image"])
    path = record.files["normals"]
    vectors = decode_normals(read_numbers(path, ("normals", "normal")), str(path))
    vectors = vectors * np.array(AXES[options.axes], np.float32)
    given = read_mask(record.files["mask"]) if "mask" in record.files else None
    known = known_pixels(np.asarray(np.isfinite(vectors).all(-1)), given, options.nan, str(path))
    length = np.linalg.norm(np.where(known[..., None], vectors, 0), axis=-1)
    known &= length > SHORTEST
    require_known(known, f"{path}: normals are")
    if float((length[known] > LONGEST).mean()) > WRONG_SHARE:
        raise InputError(f"{path}: vectors of length up to {length.max():.3g}; expected unit normals")
    vectors = np.where(known[..., None], vectors / np.maximum(length, SHORTEST)[..., None], 0).astype(np.float32)
    return Sample(image, record.name, {"normals": vectors, "mask": known})


def decode_normals(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    """(H, W, 3) float32 vectors from floats, or from the levels of a picture; (0, 0, 0) where there is none.

    Raises:
        InputError: not three channels.
    """
    if values.ndim != 3 or values.shape[2] < 3:
        raise InputError(f"{name}: {values.dtype} of shape {values.shape}; expected normals (H, W, 3)")
    values = values[..., :3]
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    if values.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: {values.dtype} values; expected floats, or 8 or 16 bits")
    vectors = values.astype(np.float32) * (2 / np.iinfo(values.dtype).max) - 1
    return np.where((values == 0).all(-1, keepdims=True), 0, vectors).astype(np.float32)


def known_pixels(
    finite: npt.NDArray[np.bool_], given: npt.NDArray[np.bool_] | None, nan: str, name: str
) -> npt.NDArray[np.bool_]:
    """Pixels with a finite value within the given mask, if there is one.

    Raises:
        InputError: mask and values of different sizes, or values that are not finite inside the mask.
    """
    if given is None:
        return finite.copy()
    if given.shape != finite.shape:
        raise InputError(
            f"{name}: {finite.shape[0]}x{finite.shape[1]} pixels, its mask {given.shape[0]}x{given.shape[1]} "
            "(height x width)"
        )
    wrong = given & ~finite
    if wrong.any() and nan == "refuse":
        raise InputError(f"{name}: NaN or infinite at {int(wrong.sum())} pixels inside the mask (option nan=unknown)")
    return given & finite
