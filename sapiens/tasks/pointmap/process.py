"""From a picture to a canonical point map and a scale, and back to metric points at the picture's size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.geometry import Letterbox, resize_maps
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.dense import letterboxed
from sapiens.tasks.pointmap.config import CANONICAL_FOCAL_PX
from sapiens.tasks.pointmap.result import PointmapResult

SMOOTHING_PASSES = 4
SMOOTHING_SIGMA = 0.8

preprocess = letterboxed


@dataclass(frozen=True)
class PointmapOptions:
    """Switches of point map estimation.

    Attributes:
        canonical_focal_px: the constant of the training targets, scale = this / fx with fx in pixels of the network's
            input. It happens to be the width of the released networks' input and does not follow it: a network of a
            smaller input trained with the same constant predicts larger scales, and its metres are the same.
    """

    canonical_focal_px: float = CANONICAL_FOCAL_PX

    def __post_init__(self) -> None:
        if not (math.isfinite(self.canonical_focal_px) and self.canonical_focal_px > 0):
            raise InputError(f"canonical_focal_px: expected a positive number of pixels, got {self.canonical_focal_px}")


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "pointmap" (B, 3, h, w) in canonical units and "scale" (B, 1), of any sign."""
    pointmap, scale = model(x)
    return {"pointmap": pointmap, "scale": scale}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> PointmapResult:
    """Raw outputs of one picture, (1, 3, h, w) and (1, 1) -> points at the picture's size.

    Without a positive scale there are no metres: points stay canonical, the intrinsics are NaN, and a note says so.
    The original divides by whatever the scale is, and so does compat="reference".
    """
    (item,) = prepared
    scale, as_original = float(raw["scale"]), setup.compat == "reference"
    metric = is_metric(scale)
    if not metric:
        outcome = "points were divided by it all the same" if as_original else "points are in canonical units"
        meta = meta.with_notes(f"scale {scale:.3g} is not positive: {outcome}")
    points = to_metric(raw["pointmap"], raw["scale"], everywhere=as_original)
    points = to_picture_size(points, item.geometry)[0].permute(1, 2, 0)
    return PointmapResult(
        meta=meta,
        image=frame.image,
        points=points.cpu().contiguous().numpy(),
        scale=scale,
        metric=metric,
        intrinsics=intrinsics(scale, item.geometry, setup.options.canonical_focal_px),
    )


def is_metric(scale: float) -> bool:
    """Whether a predicted scale is one: positive and finite."""
    return math.isfinite(scale) and scale > 0


def to_metric(pointmap: Tensor, scale: Tensor, *, everywhere: bool = False) -> Tensor:
    """Canonical points (B, 3, h, w) divided by each item's own scale (B, 1); metres.

    Items without a usable scale stay as they are, unless `everywhere`.
    """
    divisor = scale if everywhere else torch.where(scale.isfinite() & (scale > 0), scale, torch.ones_like(scale))
    return pointmap / divisor[..., None, None]


def to_picture_size(maps: Tensor, letterbox: Letterbox) -> Tensor:
    """(B, 3, h, w) at the network's size -> (B, 3, H, W) at the picture's, padding cut off.

    A map that must grow in either direction is smoothed first: enlarging shows the network's own grid otherwise.
    """
    inner = letterbox.cut(maps)
    height, width = letterbox.source_hw
    if height > inner.shape[-2] or width > inner.shape[-1]:
        inner = smooth(inner)
    return resize_maps(inner, letterbox.source_hw)


def smooth(maps: Tensor) -> Tensor:
    """Four passes of a 3x3 Gaussian of sigma 0.8 over (..., h, w), borders mirrored without repeating the edge."""
    height, width = maps.shape[-2:]
    line = torch.exp(-0.5 * (torch.tensor([-1.0, 0.0, 1.0]) / SMOOTHING_SIGMA) ** 2)
    line /= line.sum()
    kernel = torch.outer(line, line).tolist()
    for _ in range(SMOOTHING_PASSES):
        padded = _mirror(_mirror(maps, -1), -2)
        # A weighted sum and no convolution: on a GPU those round to TF32 unless told otherwise, millimetres at 3 m.
        maps = torch.zeros_like(maps)
        for row, column in itertools.product(range(3), range(3)):
            maps.add_(padded[..., row : row + height, column : column + width], alpha=kernel[row][column])
    return maps


def _mirror(maps: Tensor, axis: int) -> Tensor:
    """One more cell on both ends of an axis, the neighbour of the edge cell; a single cell is its own neighbour."""
    count = maps.shape[axis]
    before, after = min(1, count - 1), max(count - 2, 0)
    return torch.cat([maps.narrow(axis, before, 1), maps, maps.narrow(axis, after, 1)], axis)


def intrinsics(scale: float, letterbox: Letterbox, canonical_focal_px: float) -> npt.NDArray[np.float64]:
    """The pinhole camera that a scale implies, in pixels of the picture.

    The network sees the letterboxed picture with focal length canonical / scale. Its axes are enlarged separately to
    the picture's: cutting the letterboxed size to whole pixels makes their factors differ a little. The network says
    nothing of the principal point; it is assumed at the picture's centre, in coordinates whose integers are pixel
    centres.

    Returns:
        (3, 3) float64: u = fx x / z + cx, v = fy y / z + cy; all NaN without a usable scale.
    """
    if not is_metric(scale):
        return np.full((3, 3), np.nan)
    (height, width), (inner_height, inner_width) = letterbox.source_hw, letterbox.content_hw
    focal = canonical_focal_px / scale
    return np.array(
        [
            [focal * width / inner_width, 0, (width - 1) / 2],
            [0, focal * height / inner_height, (height - 1) / 2],
            [0, 0, 1],
        ]
    )
