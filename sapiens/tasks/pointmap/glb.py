"""Point clouds and meshes as binary glTF 2.0 (Khronos specification, sections 3 and 4)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens._version import __version__
from sapiens.errors import InputError
from sapiens.imaging.write import write_bytes
from sapiens.tasks.pointmap.formats import point_cloud, units
from sapiens.tasks.pointmap.result import PointmapResult

TO_GLTF = np.array([1, -1, -1], np.float32)
"""glTF counts y up and looks along -z."""

STEEPEST = 5.0
"""Largest slope of an edge, its extent along the view over that across, before it counts as a gap: 79 degrees.

Outlines of predicted depth are soft, yet a metre of depth over ten pixels is a slope of 25 at 3 m and 768 px; skin
turning away reaches 5 only in the last 2 % of a limb's radius.
"""
TINY = 1e-12

_ARRAY_BUFFER, _INDEX_BUFFER = 34962, 34963
_U32, _F32 = 5125, 5126
_POINTS, _TRIANGLES = 0, 4

Faces = npt.NDArray[np.uint32]


def write_glb(result: PointmapResult, path: Path, *, mesh: bool = False) -> Path:
    """Write the foreground points, or triangles between them, as GLB; the file appears whole or not at all.

    Positions are x, -y, -z, in metres, as glTF's axes ask. Colours are the picture's in linear light, as floats (bytes
    would merge dark levels), and are shown without lighting. `asset.extras` repeats axes, unit and the camera.

    Args:
        mesh: triangles between neighbouring pixels, cut where they are steeper than `STEEPEST`.

    Raises:
        InputError: nothing to write (glTF has no empty geometry), or more than the format's 4 GiB.
    """
    cloud = point_cloud(result)
    faces = _triangles(result.points, cloud.kept) if mesh else None
    if not len(cloud.points) or (faces is not None and not len(faces)):
        raise InputError(
            f"{path.name}: no {'triangle' if mesh else 'point'} to write for {result.meta.image_id}, "
            "and glTF has no empty geometry",
            hint="check the foreground mask, or write .ply",
        )
    buffers = _Buffers()
    attributes = {"POSITION": buffers.add(cloud.points * TO_GLTF, _F32, bounds=True)}
    if cloud.colours is not None:
        attributes["COLOR_0"] = buffers.add(_linear_rgb(cloud.colours), _F32)
    primitive: dict[str, Any] = {"attributes": attributes, "mode": _POINTS, "material": 0}
    if faces is not None:
        primitive |= {"mode": _TRIANGLES, "indices": buffers.add(faces.reshape(-1, 1), _U32, _INDEX_BUFFER)}
    return write_bytes(path, _assemble(result, primitive, buffers))


class _Buffers:
    """Arrays laid one behind the other, and their descriptions."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.length = 0

    def add(self, array: npt.NDArray[Any], component: int, target: int = _ARRAY_BUFFER, *, bounds: bool = False) -> int:
        """Append an (N, 1) or (N, 3) array of four-byte numbers; returns its accessor's number."""
        kind = {1: "SCALAR", 3: "VEC3"}[array.shape[1]]
        accessor = {"bufferView": len(self.views), "componentType": component, "count": len(array), "type": kind}
        if bounds:
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        self.views.append({"buffer": 0, "byteOffset": self.length, "byteLength": len(data), "target": target})
        self.accessors.append(accessor)
        self.data.append(data)
        self.length += len(data)
        return len(self.accessors) - 1


def _assemble(result: PointmapResult, primitive: dict[str, Any], buffers: _Buffers) -> bytes:
    document = {
        "asset": {"version": "2.0", "generator": f"sapiens {__version__}", "extras": _extras(result)},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "person"}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"doubleSided": True, "extensions": {"KHR_materials_unlit": {}}}],
        "extensionsUsed": ["KHR_materials_unlit"],
        "buffers": [{"byteLength": buffers.length}],
        "bufferViews": buffers.views,
        "accessors": buffers.accessors,
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + buffers.length
    if total >= 2**32:
        raise InputError(f"{result.meta.image_id}: {total / 2**30:.1f} GiB do not fit into a GLB file (4 GiB)")
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", buffers.length, b"BIN\0"),
            *buffers.data,
        ]
    )


def _extras(result: PointmapResult) -> dict[str, Any]:
    height, width = result.meta.size_hw
    return {
        "axes": "x right, y up, z to the viewer; camera at the origin, looking along -z",
        "units": units(result),
        "intrinsics": result.intrinsics.tolist() if result.metric else None,
        "intrinsics_axes": "x right, y down, z forward: negate y and z of the positions before projecting",
        "image_size_hw": [height, width],
    }


def _linear_rgb(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(N, 3) sRGB levels -> (N, 3) linear light, 0..1 (IEC 61966-2-1)."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    table: npt.NDArray[np.float32] = linear.astype(np.float32)
    return table[colours]


def _triangles(points: npt.NDArray[np.float32], kept: npt.NDArray[np.bool_]) -> Faces:
    """Two triangles per square of four pixels, facing the camera, without those across a gap.

    Args:
        points: (H, W, 3) x right, y down, z forward.
        kept: (H, W) bool, the pixels that are vertices, numbered in row order.

    Returns:
        (M, 3) numbers of vertices, counter-clockwise seen from the camera.
    """
    number = np.where(kept, np.cumsum(kept).reshape(kept.shape) - 1, -1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate([np.stack(corners, -1).reshape(-1, 3) for corners in ((a, c, b), (b, c, d))])
    faces = faces[(faces >= 0).all(1)]
    corners = points[kept][faces]
    whole: Faces = faces[_is_surface(corners)].astype(np.uint32)
    return whole


def _is_surface(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which triangles (M, 3, 3) have no edge steeper than `STEEPEST` to the ray it is seen along: (M,) bool."""
    surface = np.ones(len(corners), bool)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        p, q = corners[:, first], corners[:, second]
        near, far = (np.linalg.norm(point, axis=1) for point in (p, q))
        across = np.linalg.norm(np.cross(p, q), axis=1) / np.maximum(np.maximum(near, far), TINY)
        surface &= np.abs(near - far) <= STEEPEST * across
    return surface
