"""An annotated picture, and how each kind of annotation follows a flip, a resize, a crop or an affine map.

What learning and evaluation read. Annotations go by fixed names, so that a picture with several of them serves several
tasks, and every rule of geometry is written once:

| field | array | meaning |
|---|---|---|
| labels | (H, W) uint8 | classes; 255 unknown |
| mask | (H, W) bool | where normals, depth, points and albedo are known |
| normals | (H, W, 3) float32 | unit vectors; x right, y up, z to the viewer |
| depth_m | (H, W) float32 | metres along the optical axis; needs "intrinsics" |
| alpha | (H, W) float32 | coverage, 0..1 |
| foreground | (H, W, 3) float32 | colour times alpha, RGB 0..1 |
| albedo | (H, W, 3) float32 | RGB 0..1, display encoding |
| keypoints | (K, 3) float32 | x, y in pixels of the picture, and 0 unknown, 1 hidden, 2 seen |

`extra` holds numbers: "intrinsics" (3, 3) float64 pixels and "box_xyxy" (4,) float32 pixels follow; other arrays are
dropped when the picture moves, single numbers and texts stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.warp import MAX_SIDE

Array = npt.NDArray[Any]
Kind = Literal["labels", "mask", "normals", "depth", "alpha", "colour", "keypoints"]

FIELDS: dict[str, Kind] = {
    "labels": "labels",
    "mask": "mask",
    "normals": "normals",
    "depth_m": "depth",
    "alpha": "alpha",
    "foreground": "colour",
    "albedo": "colour",
    "keypoints": "keypoints",
}
"""Every annotation by name, with the kind that says how it moves."""

EXACT: frozenset[Kind] = frozenset({"labels", "mask", "normals", "depth"})
"""Kinds that are never mixed between pixels: a mean of two classes, or across a silhouette, is neither."""

UNKNOWN_LABEL = 255
MOVING = ("intrinsics", "box_xyxy")
"""Arrays of `extra` that follow the picture."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated picture (for pose: one person of a picture).

    Attributes:
        image: (H, W, 3) uint8 RGB.
        id: name used in errors and reports.
        fields: annotation by name; see `FIELDS`.
        extra: numbers that are no field.
    """

    image: ImageU8
    id: str
    fields: Mapping[str, Array]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.fields.items():
            if name not in FIELDS:
                raise InputError(f"{self.id}: no annotation is called {name!r}; known are {', '.join(FIELDS)}")
            if FIELDS[name] != "keypoints" and value.shape[:2] != self.image.shape[:2]:
                have, want = value.shape[:2], self.image.shape[:2]
                raise InputError(
                    f"{self.id}: {name} is {have[0]}x{have[1]} pixels, the picture {want[0]}x{want[1]} (height x width)"
                )

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.image.shape[0], self.image.shape[1]


Move = Callable[[str, Kind | Literal["image"], Array], Array]
"""Name, kind and value of a picture or an annotation -> where it went."""


def flip(sample: Sample, swaps: Mapping[str, Sequence[int]]) -> Sample:
    """Mirror left and right: columns, keypoint columns, normal x, principal point and box; then partners change places.

    Args:
        sample: any.
        swaps: for "labels", the class that each class becomes; for "keypoints", the point that each point becomes.
    """
    width = sample.size_hw[1]

    def move(name: str, kind: Kind | Literal["image"], value: Array) -> Array:
        if kind == "keypoints":
            moved = value[np.asarray(swaps[name])].copy() if name in swaps else value.copy()
            moved[:, 0] = width - 1 - moved[:, 0]
            return moved
        moved = value[:, ::-1]
        if kind == "labels" and name in swaps:
            moved = label_table(swaps[name])[moved]
        if kind == "normals":
            moved = moved * np.array([-1, 1, 1], value.dtype)
        return np.ascontiguousarray(moved)

    extra = dict(sample.extra)
    if "intrinsics" in extra:
        extra["intrinsics"] = extra["intrinsics"].copy()
        extra["intrinsics"][0, 2] = width - 1 - extra["intrinsics"][0, 2]
    if "box_xyxy" in extra:
        x0, y0, x1, y1 = extra["box_xyxy"]
        extra["box_xyxy"] = np.array([width - 1 - x1, y0, width - 1 - x0, y1], np.float32)
    return move_all(sample, move, extra)


def label_table(swap: Sequence[int]) -> npt.NDArray[np.uint8]:
    """256 entries: the partner of each class, everything else (255) itself."""
    table = np.arange(256, dtype=np.uint8)
    table[: len(swap)] = swap
    return table


def warp(
    sample: Sample,
    matrix: npt.NDArray[np.floating[Any]],
    size_hw: tuple[int, int],
    *,
    interpolation: int = cv2.INTER_LINEAR,
    border: Mapping[str, float] | None = None,
) -> Sample:
    """Apply an affine map to the picture and all its annotations.

    Exact kinds (classes, masks, normals, depth) take the nearest pixel, alpha and colours are mixed linearly. A
    rotation turns normals with the picture; depth stays along the axis, so a picture with depth may not be rotated.

    Args:
        sample: any.
        matrix: (2, 3), takes pixel centres of the picture to their place in the output.
        size_hw: of the output.
        interpolation: of the picture, an OpenCV flag.
        border: value outside the picture by "image" or field name; default 0, for labels `UNKNOWN_LABEL`.

    Raises:
        InputError: a rotation of depth, or a picture larger than OpenCV can address.
    """
    affine: npt.NDArray[np.float64] = np.asarray(matrix, np.float64)
    height, width = size_hw
    if max(sample.size_hw) > MAX_SIDE:
        raise InputError(f"{sample.id}: a picture of {sample.size_hw} pixels; OpenCV warps sides of {MAX_SIDE} at most")
    outside = {"labels": UNKNOWN_LABEL, **(border or {})}

    def move(name: str, kind: Kind | Literal["image"], value: Array) -> Array:
        if kind == "keypoints":
            return move_points(value, affine, size_hw)
        how = interpolation if kind == "image" else cv2.INTER_NEAREST if kind in EXACT else cv2.INTER_LINEAR
        source = value.astype(np.uint8) if kind == "mask" else value
        fill = outside.get(name, 0)
        moved = cv2.warpAffine(
            source, affine, (width, height), flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 4
        )
        if kind == "mask":
            return moved.astype(bool)
        return _turned(moved, affine) if kind == "normals" else moved

    extra = dict(sample.extra)
    if "intrinsics" in extra:
        if "depth_m" in sample.fields and (abs(affine[0, 1]) + abs(affine[1, 0])) > 1e-9:
            raise InputError(f"{sample.id}: a picture with depth cannot be rotated")
        full = np.vstack([affine, [0, 0, 1]])
        extra["intrinsics"] = full @ np.asarray(extra["intrinsics"], np.float64)
    if "box_xyxy" in extra:
        extra["box_xyxy"] = move_box(extra["box_xyxy"], affine)
    return move_all(sample, move, extra)


def _turned(normals: Array, matrix: npt.NDArray[np.float64]) -> Array:
    """Normals of a picture that was rotated in its plane: x and y turn by the same angle (y points up in normals)."""
    sine, cosine = matrix[1, 0], matrix[0, 0]
    if abs(sine) < 1e-9 and cosine > 0:
        return normals
    length = np.hypot(sine, cosine)
    sine, cosine = sine / length, cosine / length
    turned = normals.copy()
    turned[..., 0] = cosine * normals[..., 0] + sine * normals[..., 1]
    turned[..., 1] = -sine * normals[..., 0] + cosine * normals[..., 1]
    return turned


def move_points(points: Array, matrix: npt.NDArray[np.float64], size_hw: tuple[int, int]) -> Array:
    """Keypoints (K, 3) through an affine map (2, 3); those outside a picture of this size become unknown."""
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    inside = ((moved[:, :2] >= 0) & (moved[:, :2] <= (size_hw[1] - 1, size_hw[0] - 1))).all(1)
    moved[~inside, 2] = 0
    return moved


def move_box(box_xyxy: npt.ArrayLike, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The box around the four corners of a box after an affine map (2, 3)."""
    x0, y0, x1, y1 = np.asarray(box_xyxy)
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corners.min(0), corners.max(0)]).astype(np.float32)


def move_all(sample: Sample, move: Move, extra: Mapping[str, Any]) -> Sample:
    """The picture and every annotation moved by one rule; `extra` comes moved, and loses arrays that cannot follow."""
    fields = {name: move(name, FIELDS[name], value) for name, value in sample.fields.items()}
    # Numbers that would have to move, and do not know how, must not stay behind.
    kept = {name: value for name, value in extra.items() if name in MOVING or np.ndim(value) == 0}
    return dataclasses.replace(sample, image=move("image", "image", sample.image), fields=fields, extra=kept)
