"""The format "albedo": colour without light, display-encoded RGB, in PNG of 8 or 16 bits or npy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sapiens.datasets.files import ARRAYS, PICTURES, read_mask, read_unit, require_known
from sapiens.datasets.normals import MASK
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample

ROLES = (IMAGE, Role("albedo", ("albedo",), PICTURES + ARRAYS), MASK)


@dataclass(frozen=True)
class AlbedoOptions:
    """What a spec may set.

    Attributes:
        min_std: albedo whose channels all vary less than this within the mask is refused, as the released reader does:
            it is mostly a failed render. 0: any is taken.
        image, albedo, mask: folders of these files; "": the usual names.
    """

    min_std: float = 0.02
    image: str = ""
    albedo: str = ""
    mask: str = ""


OPTIONS = AlbedoOptions


def open_format(path: Path, options: AlbedoOptions, task: str) -> Records:
    """Pictures with albedo."""
    folders = {name: getattr(options, name) for name in ("image", "albedo", "mask")}
    return open_records(path, ROLES, partial(read_albedo, options=options), folders)


def read_albedo(record: Record, options: AlbedoOptions) -> Sample:
    """A picture with albedo 0..1 (0 where unknown) and the mask of where it is known; no mask: where it is not black.

    Raises:
        InputError: a file that cannot be used, sizes that differ, hardly any pixel known, or albedo without variation.
    """
    image = read_image(record.files["image"])
    path = record.files["albedo"]
    colour = read_unit(path, ("albedo",))
    if colour.ndim != 3 or colour.shape[2] < 3:
        raise InputError(f"{path}: shape {colour.shape}; expected RGB")
    colour = colour[..., :3]
    known = read_mask(record.files["mask"]) if "mask" in record.files else np.asarray((colour > 0).any(-1))
    if known.shape != colour.shape[:2]:
        have, want = known.shape, colour.shape
        raise InputError(f"{path}: {want[0]}x{want[1]} pixels, its mask {have[0]}x{have[1]} (height x width)")
    require_known(known, f"{path}: albedo is")
    spread = float(colour[known].astype(np.float64).std(0).max())
    if spread < options.min_std:
        raise InputError(f"{path}: albedo varies by {spread:.3g} only; expected {options.min_std:g} (option min_std=0)")
    albedo = np.where(known[..., None], colour, 0).astype(np.float32)
    return Sample(image, record.name, {"albedo": albedo, "mask": known})
