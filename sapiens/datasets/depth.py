"""The format "depth": metres along the optical axis in npy, npz, EXR or 16-bit PNG, and the camera in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sapiens.datasets.files import ARRAYS, EXR, PICTURES, as_camera, read_camera, read_mask, read_numbers, require_known
from sapiens.datasets.normals import MASK, known_pixels
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample

CAMERA = Role("intrinsics", ("camera_intrinsics", "intrinsics", "cameras"), (".txt", ".json"), needed=False)
ROLES = (IMAGE, Role("depth", ("depth", "depths"), PICTURES + ARRAYS + EXR), CAMERA, MASK)
SHARED = ("intrinsics.json", "intrinsics.txt")
"""One camera for all pictures, beside the folders or the list."""
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
FARTHEST_M = 500.0
"""A person farther away is a unit that was mistaken."""


@dataclass(frozen=True)
class DepthOptions:
    """What a spec may set.

    Attributes:
        unit: of depth: "m", "cm" or "mm"; "auto": millimetres in pictures of whole numbers, else metres.
        nan: as in `NormalOptions`.
        camera: a file with the one camera of all pictures; "": one for each, or `SHARED` beside them.
        image, depth, intrinsics, mask: folders of these files; "": the usual names.
    """

    unit: Literal["auto", "m", "cm", "mm"] = "auto"
    nan: Literal["refuse", "unknown"] = "refuse"
    camera: str = ""
    image: str = ""
    depth: str = ""
    intrinsics: str = ""
    mask: str = ""


OPTIONS = DepthOptions


def open_format(path: Path, options: DepthOptions, task: str) -> Records:
    """Pictures with depth and a camera.

    Raises:
        InputError: nothing usable there, or a shared camera that is none.
    """
    folders = {name: getattr(options, name) for name in ("image", "depth", "intrinsics", "mask")}
    shared = shared_camera(path, options.camera)
    return open_records(path, ROLES, partial(read_depth, options=options, shared=shared), folders)


def shared_camera(path: Path, given: str) -> Mapping[str, Any] | npt.NDArray[np.float64] | None:
    """The camera of all pictures: a matrix, or matrices by record name; None where there is no such file.

    Raises:
        InputError: a file that was given and does not exist, or one that holds no camera.
    """
    home = path if path.is_dir() else path.parent
    choices = (Path(given).expanduser(), home / given) if given else tuple(home / name for name in SHARED)
    file = next((f for f in choices if f.is_file()), None)
    if file is None:
        if given:
            raise InputError(f"{given}: no such camera file, neither here nor in {home}")
        return None
    if file.suffix == ".json":
        from sapiens.datasets.json_files import read_json

        content = read_json(file)
        if isinstance(content, dict) and not {"fx", "intrinsics", "K"} & content.keys():
            return {name: as_camera(value, f"{file}, {name}") for name, value in content.items()}
        return as_camera(content, str(file))
    return read_camera(file, "")


def find_camera(
    record: Record, shared: Mapping[str, Any] | npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """A record's own camera, else the shared one; None where there is neither.

    Raises:
        InputError: an own camera that is none.
    """
    if "intrinsics" in record.files:
        return read_camera(record.files["intrinsics"], record.name)
    if "intrinsics" in record.values or "fx" in record.values:
        return as_camera(record.values, "intrinsics")
    if isinstance(shared, Mapping):
        found: npt.NDArray[np.float64] | None = shared.get(record.name)
        return found
    return shared


def read_depth(
    record: Record, options: DepthOptions, shared: Mapping[str, Any] | npt.NDArray[np.float64] | None
) -> Sample:
    """A picture with depth in metres (0 where unknown), the mask of where it is known, and its camera.

    Raises:
        InputError: a file that cannot be used, sizes that differ, no camera, NaN or a negative depth where the mask
            says known, hardly any pixel known, or depth that can be no metres.
    """
    image = read_image(record.files["image"])
    path = record.files["depth"]
    camera = find_camera(record, shared)
    if camera is None:
        raise InputError(f"no camera; expected camera_intrinsics/{record.name}.txt, or {SHARED[0]} for all")
    values = read_numbers(path, ("depth", "depth_m"))
    if values.ndim == 3:
        if values.shape[2] > 1 and (values != values[..., :1]).any():
            raise InputError(f"{path}: {values.shape[2]} channels that differ; expected depth (H, W)")
        values = values[..., 0]
    unit = options.unit
    if unit == "auto":
        unit = "mm" if values.dtype.kind in "ui" else "m"
    depth_m = values.astype(np.float64) * METRES[unit]
    given = read_mask(record.files["mask"]) if "mask" in record.files else None
    return depth_sample(image, record.name, depth_m, given, camera, options.nan, str(path))


def depth_sample(
    image: npt.NDArray[np.uint8],
    name: str,
    depth_m: npt.NDArray[np.float64],
    given: npt.NDArray[np.bool_] | None,
    camera: npt.NDArray[np.float64],
    nan: str,
    file: str,
) -> Sample:
    """A sample of checked depth; zero is unknown everywhere.

    Raises:
        InputError: as `read_depth`.
    """
    known = known_pixels(np.isfinite(depth_m), given, nan, file)
    if (depth_m[known] < 0).any():
        raise InputError(
            f"{file}: negative depth {float(depth_m[known].min()):.4g} m; expected metres in front of the camera"
        )
    known &= np.where(known, depth_m, 0) > 0
    require_known(known, f"{file}: depth is")
    middle = float(np.median(depth_m[known]))
    if middle > FARTHEST_M:
        raise InputError(f"{file}: half of the depth is beyond {middle:.4g} m (option unit=mm or unit=cm?)")
    depth = np.where(known, depth_m, 0).astype(np.float32)
    return Sample(image, name, {"depth_m": depth, "mask": known}, {"intrinsics": camera.copy()})
