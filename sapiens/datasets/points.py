"""The format "points": 3D points of every pixel, metres, x right, y down, z forward, in npy, npz or EXR.

The camera follows from exact points where it is not given: u = fx X/Z + cx and v = fy Y/Z + cy are two lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sapiens.datasets.depth import CAMERA, METRES, depth_sample, find_camera, shared_camera
from sapiens.datasets.files import ARRAYS, EXR, read_mask, read_numbers, require_known
from sapiens.datasets.normals import MASK, known_pixels
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample

ROLES = (IMAGE, Role("points", ("points", "pointmap"), ARRAYS + EXR), CAMERA, MASK)
LARGEST_MISS_PX = 1.0
"""Median distance between pixels and where the camera sees their points; above it they do not belong together."""


@dataclass(frozen=True)
class PointOptions:
    """What a spec may set.

    Attributes:
        unit: of the points, "m", "cm" or "mm".
        nan: as in `NormalOptions`.
        camera: as in `DepthOptions`.
        image, points, intrinsics, mask: folders of these files; "": the usual names.
    """

    unit: Literal["m", "cm", "mm"] = "m"
    nan: Literal["refuse", "unknown"] = "refuse"
    camera: str = ""
    image: str = ""
    points: str = ""
    intrinsics: str = ""
    mask: str = ""


OPTIONS = PointOptions


def open_format(path: Path, options: PointOptions, task: str) -> Records:
    """Pictures with points."""
    folders = {name: getattr(options, name) for name in ("image", "points", "intrinsics", "mask")}
    shared = shared_camera(path, options.camera)
    return open_records(path, ROLES, partial(read_points, options=options, shared=shared), folders)


def read_points(
    record: Record, options: PointOptions, shared: Mapping[str, Any] | npt.NDArray[np.float64] | None
) -> Sample:
    """A picture with the depth of its points and its camera.

    Raises:
        InputError: as `read_depth`; or points that no pinhole camera, or not the given one, sees at their pixels.
    """
    image = read_image(record.files["image"])
    path = record.files["points"]
    points = read_numbers(path, ("points", "pointmap", "points_m")).astype(np.float64)
    if points.ndim != 3 or points.shape[2] != 3:
        raise InputError(f"{path}: shape {points.shape}; expected points (H, W, 3)")
    points = points * METRES[options.unit]
    given = read_mask(record.files["mask"]) if "mask" in record.files else None
    known = known_pixels(np.asarray(np.isfinite(points).all(-1)), given, options.nan, str(path))
    known &= np.where(known, points[..., 2], 0) > 0
    require_known(known, f"{path}: points are")
    camera = find_camera(record, shared)
    if camera is None:
        camera = fit_camera(points, known, str(path))
    miss = float(np.median(_misses(points, known, camera)))
    if miss > LARGEST_MISS_PX:
        raise InputError(
            f"{path}: the camera sees the points {miss:.3g} pixels from where they are; expected x right, y down, "
            "z forward"
        )
    return depth_sample(image, record.name, points[..., 2], known, camera, options.nan, str(path))


def fit_camera(points: npt.NDArray[np.float64], known: npt.NDArray[np.bool_], name: str) -> npt.NDArray[np.float64]:
    """(3, 3) intrinsics by least squares from points (H, W, 3), both focal lengths free.

    Raises:
        InputError: points from which no camera follows, e.g. all on one ray.
    """
    rows, columns = np.nonzero(known)
    x, y, z = points[known].T
    camera = np.eye(3)
    for axis, (ray, pixel) in enumerate(((x / z, columns), (y / z, rows))):
        line, _, rank, _ = np.linalg.lstsq(np.stack([ray, np.ones_like(ray)], 1), pixel.astype(np.float64), rcond=None)
        if rank < 2 or line[0] <= 0:
            raise InputError(f"{name}: no camera follows from the points; give one (intrinsics), or check the axes")
        camera[axis, axis], camera[axis, 2] = line
    return camera


def _misses(
    points: npt.NDArray[np.float64], known: npt.NDArray[np.bool_], camera: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    rows, columns = np.nonzero(known)
    seen = points[known] @ camera.T
    misses: npt.NDArray[np.float64] = np.hypot(seen[:, 0] / seen[:, 2] - columns, seen[:, 1] / seen[:, 2] - rows)
    return misses
