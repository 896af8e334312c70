"""How a network input is cut from a picture, and the way back: stretch, letterbox, box crop.

Each is a small frozen object that moves pictures and points to the network input, and points or network outputs back.
Point coordinates are pixels with integers at pixel centres: the picture's top left pixel is (0, 0), its outer corner
(-0.5, -0.5). The rules are those of the released models; see `docs/conventions.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.resize import resize_image, resize_maps
from sapiens.imaging.warp import warp_image

__all__ = ["BoxCrop", "Letterbox", "Stretch", "resize_maps"]

Points = npt.NDArray[np.float64]
SizeHW = tuple[int, int]

_FARTHEST = 1e6
"""Box coordinates beyond this are mistakes; float32 still resolves a sixteenth of a pixel here."""
_THINNEST = 1e-3
"""Pixels; anything thinner is no box."""


@dataclass(frozen=True)
class Stretch:
    """The whole picture, aspect ratio not kept.

    The filter follows the width alone: wider than the target, OpenCV's area rule; else `enlarge`. A tall narrow picture
    is thus shrunk vertically without averaging, as the released models expect.

    Attributes:
        source_hw: height and width of the picture.
        target_hw: height and width of the network input.
        enlarge: filter for pictures not wider than the target; "cubic" for parts, "linear" for matting.
    """

    source_hw: SizeHW
    target_hw: SizeHW
    enlarge: Literal["cubic", "linear"]

    def __post_init__(self) -> None:
        _check_sizes(self.source_hw, self.target_hw)
        if self.enlarge not in ("cubic", "linear"):
            raise InputError(f"Stretch: enlarge is {self.enlarge!r}, expected 'cubic' or 'linear'")

    def apply(self, image: ImageU8) -> ImageU8:
        """(H, W, 3) uint8 of `source_hw` -> (h, w, 3) uint8 of `target_hw`."""
        _check_image(image, self.source_hw)
        return resize_image(image, self.target_hw, "area" if self.source_hw[1] > self.target_hw[1] else self.enlarge)

    def restore(self, maps: Tensor) -> Tensor:
        """Network outputs (..., C, h, w), of any h and w, bilinearly resized to the picture: (..., C, H, W)."""
        return resize_maps(maps, self.source_hw)

    def points_to_input(self, points_xy: npt.ArrayLike) -> Points:
        """(..., 2) pixels of the picture -> (..., 2) pixels of the network input."""
        return _rescale(points_xy, self.source_hw, self.target_hw)

    def points_to_source(self, points_xy: npt.ArrayLike) -> Points:
        """Inverse of `points_to_input`."""
        return _rescale(points_xy, self.target_hw, self.source_hw)


@dataclass(frozen=True)
class Letterbox:
    """The whole picture, aspect ratio kept, zeros around it; always OpenCV's bilinear filter, also when shrinking.

    The picture's size in the input is truncated, not rounded, as in the released pipeline, which can cost a pixel:
    1070x1070 becomes 767 wide in a width of 768. At least one row and column is kept (1x5000 pixels would vanish).

    Attributes:
        source_hw: height and width of the picture.
        target_hw: height and width of the network input.
    """

    source_hw: SizeHW
    target_hw: SizeHW

    def __post_init__(self) -> None:
        _check_sizes(self.source_hw, self.target_hw)

    @cached_property
    def content_hw(self) -> SizeHW:
        """Height and width of the picture inside the network input."""
        (height, width), (rows, columns) = self.source_hw, self.target_hw
        factor = min(columns / width, rows / height)
        return max(1, math.trunc(height * factor)), max(1, math.trunc(width * factor))

    @cached_property
    def pad_lrtb(self) -> tuple[int, int, int, int]:
        """Padding left, right, top, bottom; where it is odd, right and bottom get the larger part."""
        rest_y, rest_x = (t - c for t, c in zip(self.target_hw, self.content_hw, strict=True))
        return rest_x // 2, rest_x - rest_x // 2, rest_y // 2, rest_y - rest_y // 2

    def apply(self, image: ImageU8) -> ImageU8:
        """(H, W, 3) uint8 of `source_hw` -> (h, w, 3) uint8 of `target_hw`."""
        _check_image(image, self.source_hw)
        padded = np.zeros((*self.target_hw, 3), np.uint8)
        padded[self._content] = resize_image(image, self.content_hw, "linear")
        return padded

    def cut(self, maps: Tensor) -> Tensor:
        """Network outputs (..., C, h, w) without the padding: (..., C, *content_hw).

        Maps smaller than the input by a whole factor (a quarter, behind the 4K models' window tokenizer) are enlarged
        to it first, as the padding need not end on one of their cells.

        Raises:
            InputError: maps of another shape, on which the padding would lie elsewhere.
        """
        size = tuple(maps.shape[-2:])
        if size != self.target_hw:
            factors = {target / have for target, have in zip(self.target_hw, size, strict=True)}
            if len(factors) > 1 or not min(factors).is_integer():
                raise InputError(f"Letterbox: expected maps of {_by(self.target_hw)}, got {tuple(maps.shape)}")
            maps = resize_maps(maps, self.target_hw)
        return maps[(..., *self._content)]

    def restore(self, maps: Tensor) -> Tensor:
        """Network outputs (..., C, h, w), cut and bilinearly resized to the picture: (..., C, H, W)."""
        return resize_maps(self.cut(maps), self.source_hw)

    def points_to_input(self, points_xy: npt.ArrayLike) -> Points:
        """(..., 2) pixels of the picture -> (..., 2) pixels of the network input."""
        return _rescale(points_xy, self.source_hw, self.content_hw) + self._corner_xy

    def points_to_source(self, points_xy: npt.ArrayLike) -> Points:
        """Inverse of `points_to_input`."""
        return _rescale(np.asarray(points_xy, np.float64) - self._corner_xy, self.content_hw, self.source_hw)

    @property
    def _corner_xy(self) -> tuple[int, int]:
        left, _, top, _ = self.pad_lrtb
        return left, top

    @property
    def _content(self) -> tuple[slice, slice]:
        (left, top), (height, width) = self._corner_xy, self.content_hw
        return slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True)
class BoxCrop:
    """A padded person box at the network's aspect ratio, black outside the picture.

    All arithmetic is in float32, as in the released pipeline. Where either side is shrunk the crop is bilinear without
    averaging, else cubic; see `sapiens.imaging.warp` for what depends on the OpenCV version.

    Attributes:
        center_xy: centre of the crop in pixels of the picture.
        scale_xy: width and height of the crop in pixels of the picture.
        target_hw: height and width of the network input.
    """

    center_xy: tuple[float, float]
    scale_xy: tuple[float, float]
    target_hw: SizeHW

    def __post_init__(self) -> None:
        if len(self.target_hw) != 2 or min(self.target_hw) < 2:  # the first and last pixel span the box
            raise InputError(f"BoxCrop: expected a target of at least 2x2 pixels, got {self.target_hw}")
        values = np.array([*self.center_xy, *self.scale_xy])
        if not np.isfinite(values).all() or min(self.scale_xy) < _THINNEST:
            raise InputError(f"BoxCrop: cannot crop {self.scale_xy} (width, height) pixels around {self.center_xy}")

    @classmethod
    def from_box(cls, box_xyxy: npt.ArrayLike, target_hw: SizeHW, padding: float = 1.25) -> Self:
        """The crop of a person box.

        Args:
            box_xyxy: left, top, right, bottom in pixels of the picture; may reach beyond it.
            target_hw: height and width of the network input; the box grows to this aspect ratio.
            padding: factor on the box's width and height.

        Raises:
            InputError: not four finite numbers, no width or height, or coordinates beyond a million.
        """
        box = _check_box(box_xyxy)
        center = (box[:2] + box[2:]) * np.float32(0.5)
        width, height = (box[2:] - box[:2]) * np.float32(padding)
        aspect = np.float32(target_hw[1] / target_hw[0])
        scale = (width, width / aspect) if width > aspect * height else (aspect * height, height)
        return cls((float(center[0]), float(center[1])), (float(scale[0]), float(scale[1])), target_hw)

    @cached_property
    def matrix(self) -> npt.NDArray[np.float32]:
        """(2, 3) float32, picture to crop: [[sx, 0, tx], [0, sy, ty]].

        Crop pixel 0 lies at center - scale / 2 and the last one at center + scale / 2 (UDP: Huang et al., "The Devil is
        in the Details", CVPR 2020), so its pixels are a little denser than scale / target.
        """
        last = np.array([self.target_hw[1] - 1, self.target_hw[0] - 1], np.float32)
        center, scale = np.array(self.center_xy, np.float32), np.array(self.scale_xy, np.float32)
        factor = last / scale
        matrix = np.zeros((2, 3), np.float32)
        matrix[0, 0], matrix[1, 1] = factor
        matrix[:, 2] = factor * (scale * np.float32(0.5) - center)
        return matrix

    @property
    def cubic(self) -> bool:
        """Whether neither side is shrunk, so that the cubic filter is used."""
        return bool(min(self.matrix[0, 0], self.matrix[1, 1]) >= 1)

    def apply(self, image: ImageU8) -> ImageU8:
        """(H, W, 3) uint8 -> (h, w, 3) uint8 of `target_hw`.

        Raises:
            InputError: the crop shows nothing of the picture.
        """
        return warp_image(image, self.matrix, self.target_hw, cubic=self.cubic)

    def points_to_input(self, points_xy: npt.ArrayLike) -> Points:
        """(..., 2) pixels of the picture -> (..., 2) pixels of the crop."""
        factor, offset = self._affine
        return np.asarray(points_xy, np.float64) * factor + offset

    def points_to_source(self, points_xy: npt.ArrayLike) -> Points:
        """Inverse of `points_to_input`."""
        factor, offset = self._affine
        moved: Points = (np.asarray(points_xy, np.float64) - offset) / factor
        return moved

    @property
    def _affine(self) -> tuple[Points, Points]:
        matrix = self.matrix.astype(np.float64)
        return matrix.diagonal(), matrix[:, 2]


def _rescale(points_xy: npt.ArrayLike, from_hw: SizeHW, to_hw: SizeHW) -> Points:
    """Move points with a resize whose outer edges coincide: half-pixel centres."""
    factor = np.array([to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]])
    moved: Points = (np.asarray(points_xy, np.float64) + 0.5) * factor - 0.5
    return moved


def _check_sizes(*sizes_hw: SizeHW) -> None:
    for size in sizes_hw:
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"expected a height and a width of at least 1, got {size}")


def _check_image(image: ImageU8, size_hw: SizeHW) -> None:
    if image.shape != (*size_hw, 3):
        raise InputError(f"expected a picture of shape {(*size_hw, 3)}, got {image.shape}")


def _check_box(box_xyxy: npt.ArrayLike) -> npt.NDArray[np.float32]:
    values: Any = np.asarray(box_xyxy)
    if values.shape != (4,) or values.dtype.kind not in "iuf":
        raise InputError(f"box {values.tolist()}: expected four numbers, left, top, right, bottom in pixels")
    box: npt.NDArray[np.float32] = values.astype(np.float32)
    text = f"box ({', '.join(f'{value:g}' for value in values)})"
    if not np.isfinite(box).all():
        raise InputError(f"{text}: expected finite pixel coordinates")
    if np.abs(box).max() > _FARTHEST:
        raise InputError(f"{text}: lies more than {_FARTHEST:g} pixels from the picture")
    if (box[2:] - box[:2]).min() < _THINNEST:
        raise InputError(f"{text}: has no width or height; expected right > left and bottom > top (xyxy, not xywh)")
    return box


def _by(size_hw: SizeHW) -> str:
    return f"{size_hw[0]}x{size_hw[1]}"
