"""How parts of a picture are pieced together: one camera for the picture, size and relief from every crop.

A network input cut from a part of the picture is seen by another camera: its focal length, in pixels of the input, is
longer by as much as the part is enlarged, and its principal point lies elsewhere. The canonical-focal rule takes care
of the first: the network predicts canonical points and scale = canonical focal / focal of *its* input, so that points /
scale are metres whatever was cut. The second it cannot know: it takes the part for a picture of a camera that looks at
the part's middle. What it says of a person's size and relief is good, of focal length and distance less so: from a crop
both can be wrong by the same factor. So the points of a crop are

1. divided by the crop's own scale: metres, in the frame of a camera that looks at the crop's middle;
2. turned by the rotation from that camera's axis to the ray through the crop's middle in the picture's camera, whose
   focal length is the one that the whole picture's scale implies;
3. moved along that ray, not scaled, from their median distance d to d * picture's focal / crop's focal, both in pixels
   of the picture: where somebody of that size appears as large as in the picture.

All people thus stand before one camera, at one metric scale. `fit` takes the place of 3 where the whole picture or the
crop has no usable scale, and for tiles, which need not show a whole person: one number and one shift that bring the
points nearest to the whole picture's, by least squares with weights that fall with distance. `scale` and `intrinsics`
of the result are the whole picture's.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sapiens.tasks.base import Prepared, Raw, Setup
from sapiens.tasks.pieces import Piece, Pieces, Place
from sapiens.tasks.pointmap.process import intrinsics, smooth, to_metric

SAMPLES = 4096
"""Cells that a fit looks at."""
ROUNDS = 10
LARGEST_SCALE = 2.0
"""Of a fit: relief is not blown up further. It may shrink to nothing, where it has nothing to do with the whole's."""
CORE = 0.5
"""Cells of at least this share of the largest weight are taken for the person."""


def field(raw: Raw, prepared: Prepared, setup: Setup) -> Tensor:
    """Canonical points (1, 3, h, w) and scale (1, 1) -> metres (3, h, w) without padding; canonical if no scale is.

    Smoothed where the picture, or the part of it, is larger; see `process.to_picture_size`.
    """
    inner: Tensor = prepared.geometry.cut(to_metric(raw["pointmap"], raw["scale"]))
    height, width = prepared.geometry.source_hw
    grows = height > inner.shape[-2] or width > inner.shape[-1]
    return (smooth(inner) if grows else inner)[0]


def as_raw(points: Tensor) -> Raw:
    """Metres, taken by `postprocess` as canonical points of scale 1."""
    return {"pointmap": points, "scale": points.new_ones(1, 1)}


def align(piece: Piece, whole: Piece, below: Tensor, weight: Tensor, setup: Setup) -> Tensor:
    """A piece's points in the whole picture's camera and metres; see the top of this file."""
    focal_px, own_px = (focal_of(p, setup) for p in (whole, piece))
    turned = torch.einsum("ij,jhw->ihw", turn_to(piece.place, focal_px).to(piece.field), piece.field)
    if piece.is_tile or math.isnan(focal_px) or math.isnan(own_px):
        scale, shift = fit(turned, below, weight)
        return turned * scale + shift[:, None, None]
    middle = turned[:, weight >= CORE * weight.max()].median(1).values
    return turned + (middle * (focal_px / own_px - 1))[:, None, None]


def focal_of(piece: Piece, setup: Setup) -> float:
    """Focal length in pixels of the picture that a piece's scale implies; NaN if the scale is not usable."""
    camera = intrinsics(float(piece.raw["scale"]), piece.prepared.geometry, setup.options.canonical_focal_px)
    return float(camera[0, 0])


def turn_to(place: Place, focal_px: float) -> Tensor:
    """(3, 3) rotation from a camera that looks at the middle of a place to the picture's own; none without a focal."""
    if math.isnan(focal_px):
        return torch.eye(3)
    height, width = place.size_hw
    x = ((place.columns.start + place.columns.stop) / 2 - width / 2) / focal_px
    y = ((place.rows.start + place.rows.stop) / 2 - height / 2) / focal_px
    axis = np.array([x, y, 1.0]) / np.sqrt(x * x + y * y + 1)
    # The shortest turn from (0, 0, 1): Rodrigues' formula with cross product (-y, x, 0).
    cross = np.array([[0, 0, axis[0]], [0, 0, axis[1]], [-axis[0], -axis[1], 0]])
    return torch.from_numpy(np.eye(3) + cross + cross @ cross / (1 + axis[2]))


def fit(points: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The scale () and shift (3,) that bring points (3, h, w) nearest to a target (3, h, w), robustly.

    Iteratively reweighted least squares with Geman-McClure weights, whose width is the median distance.
    """
    step = max(1, int((weight.numel() / SAMPLES) ** 0.5))
    source, goal = (v[:, ::step, ::step].flatten(1) for v in (points, target))
    prior = weight[::step, ::step].flatten()
    core = prior >= CORE * prior.max()
    robust = torch.ones_like(prior)
    scale, shift = points.new_ones(()), points.new_zeros(3)
    for _ in range(ROUNDS):
        w = prior * robust / (prior * robust).sum().clamp_min(1e-9)
        centre, aim = (source * w).sum(1), (goal * w).sum(1)
        spread = (w * (source - centre[:, None]) ** 2).sum()
        shared = (w * (source - centre[:, None]) * (goal - aim[:, None])).sum()
        scale = (shared / spread.clamp_min(1e-9)).clamp(0, LARGEST_SCALE)
        shift = aim - scale * centre
        far = torch.linalg.vector_norm(source * scale + shift[:, None] - goal, dim=0)
        robust = 1 / (1 + (far / far[core].median().clamp_min(1e-4)) ** 2) ** 2
    return scale, shift


PIECES = Pieces(arrays=("points",), field=field, raw=as_raw, align=align, low_from_whole=True)
