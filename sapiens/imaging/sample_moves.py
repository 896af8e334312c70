"""An annotated picture resized, cropped, padded, letterboxed: with OpenCV's resize, as the released pipelines do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import cv2
import numpy as np

from sapiens.imaging.geometry import Letterbox
from sapiens.imaging.sample import EXACT, UNKNOWN_LABEL, Array, Kind, Sample, move_all, move_box, move_points


def resize(
    sample: Sample,
    size_hw: tuple[int, int],
    *,
    filters: Mapping[str, int] | None = None,
    camera_factor: float | None = None,
) -> Sample:
    """Resize the picture and all its annotations with `cv2.resize`: half-pixel centres, edges repeated.

    Args:
        sample: any.
        size_hw: new height and width.
        filters: OpenCV flags by "image" or field name; default linear. Exact kinds always take the nearest pixel.
        camera_factor: multiplies focal lengths and principal point, as the released pipeline does; None: the camera
            follows the pixel centres exactly.
    """
    height, width = size_hw
    fx, fy = width / sample.size_hw[1], height / sample.size_hw[0]
    matrix = np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2]])

    def move(name: str, kind: Kind | Literal["image"], value: Array) -> Array:
        if kind == "keypoints":
            return move_points(value, matrix, size_hw)
        how = cv2.INTER_NEAREST if kind in EXACT else (filters or {}).get(name, cv2.INTER_LINEAR)
        source = value.astype(np.uint8) if kind == "mask" else value
        resized = np.asarray(cv2.resize(source, (width, height), interpolation=how))
        return resized.astype(bool) if kind == "mask" else resized

    factor = camera_factor
    camera = np.vstack([matrix, [0, 0, 1]]) if factor is None else np.diag([factor, factor, 1.0])
    return move_all(sample, move, _moved_extra(sample.extra, matrix, camera))


def window(
    sample: Sample, top: int, left: int, size_hw: tuple[int, int], border: Mapping[str, float] | None = None
) -> Sample:
    """A rectangle of the picture: a crop, a padding or both. Whole pixels move, none is resampled.

    Args:
        sample: any.
        top, left: first row and column; negative ones lie outside the picture.
        size_hw: height and width of the rectangle, which may reach beyond the picture.
        border: value outside the picture by "image" or field name; default 0, for labels `UNKNOWN_LABEL`.
    """
    height, width = size_hw
    outside = {"labels": UNKNOWN_LABEL, **(border or {})}
    from_rows, to_rows = _overlap(top, height, sample.size_hw[0])
    from_columns, to_columns = _overlap(left, width, sample.size_hw[1])
    matrix = np.array([[1.0, 0, -left], [0, 1, -top]])

    def move(name: str, kind: Kind | Literal["image"], value: Array) -> Array:
        if kind == "keypoints":
            return move_points(value, matrix, size_hw)
        moved = np.full((height, width, *value.shape[2:]), outside.get(name, 0), value.dtype)
        moved[to_rows, to_columns] = value[from_rows, from_columns]
        return moved

    return move_all(sample, move, _moved_extra(sample.extra, matrix, np.vstack([matrix, [0, 0, 1]])))


def letterbox(sample: Sample, size_hw: tuple[int, int]) -> Sample:
    """The whole picture, aspect kept, as prediction letterboxes it, with a mask that leaves the padding out.

    The camera follows by the released rule: focal lengths and principal point times the one nominal factor, plus the
    padding. That is up to a pixel from where the pixels go; the released models are trained with it.
    """
    box = Letterbox(sample.size_hw, size_hw)
    factor = min(size_hw[1] / sample.size_hw[1], size_hw[0] / sample.size_hw[0])
    left, _, top, _ = box.pad_lrtb
    return window(resize(with_mask(sample), box.content_hw, camera_factor=factor), -top, -left, size_hw)


def with_mask(sample: Sample) -> Sample:
    """The same with a "mask"; a picture without one is known everywhere."""
    if "mask" in sample.fields:
        return sample
    return dataclasses.replace(sample, fields={**sample.fields, "mask": np.ones(sample.size_hw, bool)})


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Where a run of pixels meets the picture: its place in the picture, and in the run."""
    first, last = (min(max(edge, 0), size) for edge in (start, start + length))
    return slice(first, last), slice(first - start, last - start) if last > first else slice(0, 0)


def _moved_extra(extra: Mapping[str, Any], matrix: Array, camera: Array) -> dict[str, Any]:
    """`extra` with box and camera moved by their maps (2, 3) and (3, 3)."""
    moved = dict(extra)
    if "intrinsics" in moved:
        moved["intrinsics"] = camera @ np.asarray(moved["intrinsics"], np.float64)
    if "box_xyxy" in moved:
        moved["box_xyxy"] = move_box(moved["box_xyxy"], matrix)
    return moved
