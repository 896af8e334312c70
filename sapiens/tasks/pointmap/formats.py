"""Files of points for other programs: coloured point clouds (PLY) and arrays; `glb` has the glTF ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sapiens.imaging.frame import ImageU8
from sapiens.imaging.write import atomic_path, write_bytes
from sapiens.tasks.pointmap.result import PointmapResult


@dataclass(frozen=True, eq=False)
class PointCloud:
    """The points that files hold: the foreground's, in row order.

    Attributes:
        points: (N, 3) float32, finite.
        colours: (N, 3) uint8 RGB of the picture, None if the result has no picture.
        kept: (H, W) bool, the pixels they come from.
        left_out: foreground points that are not finite.
    """

    points: npt.NDArray[np.float32]
    colours: ImageU8 | None
    kept: npt.NDArray[np.bool_]
    left_out: int


def point_cloud(result: PointmapResult) -> PointCloud:
    """The finite foreground points of a result, with the picture's colours if it is at hand."""
    foreground = result.foreground()
    kept = foreground & np.isfinite(result.points).all(-1)
    colours = None if result.image is None else result.canvas()[kept]
    return PointCloud(result.points[kept], colours, kept, int(foreground.sum() - kept.sum()))


def units(result: PointmapResult) -> str:
    """What one unit of the points is, in words."""
    return "metres" if result.metric else "canonical, not metric"


def write_ply(result: PointmapResult, path: Path, *, double: bool = False) -> Path:
    """Write the foreground points as binary little-endian PLY; the file appears whole or not at all.

    Vertices are x y z, and red green blue if the result has its picture, in row order; no faces. Comments give axes,
    unit, camera and the number of points left out because they are not finite. Nothing is added: the original puts a
    blue ball of random points at the camera.

    Args:
        double: coordinates as 64-bit floats, the original's type; they hold no more than the 32-bit ones.
    """
    cloud = point_cloud(result)
    number, name = ("<f8", "double") if double else ("<f4", "float")
    fields: list[tuple[str, str, str]] = [(axis, number, name) for axis in "xyz"]
    if cloud.colours is not None:
        fields += [(colour, "u1", "uchar") for colour in ("red", "green", "blue")]
    vertices = np.empty(len(cloud.points), dtype=[(field, code) for field, code, _ in fields])
    for column, axis in enumerate("xyz"):
        vertices[axis] = cloud.points[:, column]
    if cloud.colours is not None:
        for column, colour in enumerate(("red", "green", "blue")):
            vertices[colour] = cloud.colours[:, column]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {line}" for line in _comments(result, cloud)),
        f"element vertex {len(vertices)}",
        *(f"property {name} {field}" for field, _, name in fields),
        "end_header",
    ]
    return write_bytes(path, "\n".join([*header, ""]).encode("ascii") + vertices.tobytes())


def _comments(result: PointmapResult, cloud: PointCloud) -> list[str]:
    matrix, (height, width) = result.intrinsics, result.meta.size_hw
    lines = ["axes: x right, y down, z forward; camera at the origin", f"units: {units(result)}"]
    if result.metric:
        fx, fy, cx, cy = (float(matrix[index]) for index in ((0, 0), (1, 1), (0, 2), (1, 2)))
        lines.append(f"intrinsics: fx {fx!r} fy {fy!r} cx {cx!r} cy {cy!r} width {width} height {height}")
    if cloud.left_out:
        lines.append(f"left out: {cloud.left_out} points that are not finite")
    return lines


def write_points(result: PointmapResult, path: Path) -> Path:
    """(H, W, 3) float32 x, y, z as npy, background included."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.points, allow_pickle=False)
    return path


def write_depth(result: PointmapResult, path: Path) -> Path:
    """The file the original writes: (H, W) float16 depth as npy, background included."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.depth_f16(), allow_pickle=False)
    return path
