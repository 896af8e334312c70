"""Loss of point map estimation: seven terms on canonical points and on the scale; all in float32.

| batch key | shape | meaning |
|---|---|---|
| points | (B, 3, H, W) float32 | canonical x, y, z (metres times scale); anything outside the mask |
| mask | (B, H, W) bool | where they are known |
| scale | (B, 1) float32 | canonical focal length / fx of the network's input |
| intrinsics | (B, 3, 3) float32 | camera of the network's input, in its pixels; integers are pixel centres |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.resize import resize_maps
from sapiens.nn import losses
from sapiens.tasks.base import Raw

EPS = 1e-6
DIFFERENCE_FACTOR = 100.0
"""Differences of metres between neighbours are tiny; so enlarged, their cross products stay above the floors."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; 0 leaves a term out.

    Attributes:
        l1, enlarged_l1, shift_invariant: of points divided by the mean depth; as they are, enlarged twofold, and with
            each map's centroid subtracted. Each weighted value is clamped to `clamp`, without gradient above.
        silog: scale-invariant log error of z.
        rays: distance of the points from their pixel's ray.
        normal: of the normals that the points imply.
        scale: absolute error of the scale.
        clamp: see above.
    """

    l1: float = 2.0
    enlarged_l1: float = 1.0
    shift_invariant: float = 1.0
    silog: float = 1.0
    rays: float = 1.0
    normal: float = 2.0
    scale: float = 4.0
    clamp: float = 4.0


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms by the names of `LossConfig`, and their sum "loss".

    Args:
        raw: "pointmap" (B, 3, h, w) canonical, resized bilinearly to the target; "scale" (B, 1).
        batch: see the table above.
        recipe: `loss` is a `LossConfig`. compat="reference" counts NaN terms as 0, and compares normals also where
            the target's are made of rounding noise.

    Raises:
        InputError: missing targets, of other shapes, NaN or infinite ones, or a scale that is not positive.
    """
    config: LossConfig = recipe.loss
    reference = recipe.compat == "reference"
    losses.check_shapes(batch, raw["pointmap"], points="B 3 H W", mask="B H W", scale="B 1", intrinsics="B 3 3")
    mask = batch["mask"].bool()[:, None]
    losses.check_targets(batch, "scale", "intrinsics")
    if float(batch["scale"].min()) <= 0:
        raise InputError(f"target 'scale': expected a positive factor, got {float(batch['scale'].min()):g}")
    losses.check_targets(batch, "points", mask=mask)
    target = losses.inside(batch["points"].float(), mask)
    pred = resize_maps(raw["pointmap"].float(), (target.shape[-2], target.shape[-1]))
    terms = _relative_terms(pred, target, mask, config)
    if config.silog:
        terms["silog"] = config.silog * losses.silog(pred[:, 2:], target[:, 2:], mask)
    if config.rays:
        terms["rays"] = config.rays * ray_distance(pred, batch["intrinsics"].float(), mask)
    if config.normal:
        metric, metric_target = (maps / batch["scale"].float()[..., None, None] for maps in (pred, target))
        terms["normal"] = config.normal * normal_error(metric, metric_target, mask, noise=reference)
    if config.scale:
        terms["scale"] = config.scale * (raw["scale"].float() - batch["scale"].float()).abs().mean()
    return losses.total(terms, reference=reference)


def _relative_terms(pred: Tensor, target: Tensor, mask: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """The clamped terms, on points divided by their mean target depth."""
    depth = _mean(target[:, 2:], mask)
    depth = torch.where(depth > 0, depth, torch.ones_like(depth))
    pred, target = pred / depth, target / depth
    values = {}
    if config.l1:
        values["l1"] = config.l1 * losses.l1(pred, target, mask)
    if config.enlarged_l1:
        size = 2 * mask.shape[-2], 2 * mask.shape[-1]
        wide = F.interpolate(mask.float(), size=size, mode="nearest").bool()
        values["enlarged_l1"] = config.enlarged_l1 * losses.l1(resize_maps(pred, size), resize_maps(target, size), wide)
    if config.shift_invariant:
        centred, truth = (maps - _centroid(maps, mask) for maps in (pred, target))
        values["shift_invariant"] = config.shift_invariant * losses.l1(centred, truth, mask)
    return {name: value.clamp_max(config.clamp) for name, value in values.items()}


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return losses.inside(values, mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp_min(1)


def _centroid(values: Tensor, mask: Tensor) -> Tensor:
    return losses.inside(values, mask).sum((2, 3), keepdim=True) / (mask.sum((2, 3), keepdim=True) + EPS)


def ray_distance(points: Tensor, intrinsics: Tensor, mask: Tensor) -> Tensor:
    """|x - (u - cx) z / fx| + |y - (v - cy) z / fy|, mean over valid pixels; u and v are integers."""
    height, width = points.shape[-2:]
    u = torch.arange(width, device=points.device, dtype=points.dtype)
    v = torch.arange(height, device=points.device, dtype=points.dtype)[:, None]
    fx, fy, cx, cy = (intrinsics[:, row, column, None, None] for row, column in ((0, 0), (1, 1), (0, 2), (1, 2)))
    x, y, z = losses.inside(points, mask).unbind(1)
    error = (x - (u - cx) * z / fx).abs() + (y - (v - cy) * z / fy).abs()
    return losses.over_mask(error[:, None], mask)


def normal_error(pred: Tensor, target: Tensor, mask: Tensor, *, noise: bool) -> Tensor:
    """(1 - cosine) + mean component error of the normals of two point maps, mean over valid pixels.

    Args:
        pred, target: (B, 3, h, w) metres; the target is 0 outside the mask.
        noise: also where both the right and the lower neighbour lie outside the mask. Both steps of the target are
            then the same vector, and the direction of their product is a matter of rounding.
    """
    product, target_product = _products(pred), _products(target)
    valid = mask & (torch.linalg.vector_norm(target_product, dim=1, keepdim=True) > EPS)
    if not noise:
        right, below = (_next(mask.float(), axis).bool() for axis in (-1, -2))
        valid = valid & (right | below)
    normals, truth = losses.unit(losses.inside(product, valid)), losses.unit(losses.inside(target_product, valid))
    cosine = (normals * truth).sum(1, keepdim=True).clamp(-1, 1)
    return losses.over_mask(1 - cosine + (normals - truth).abs().mean(1, keepdim=True), valid)


def _products(points: Tensor) -> Tensor:
    """Cross products of the steps to the right and to the lower neighbour."""
    right, below = (DIFFERENCE_FACTOR * (_next(points, axis) - points) for axis in (-1, -2))
    product: Tensor = torch.linalg.cross(right, below, dim=1)
    return product


def _next(values: Tensor, axis: int) -> Tensor:
    """Each pixel's neighbour along an axis; the last one's is the one before it (reflected border)."""
    pad = (0, 1, 0, 0) if axis == -1 else (0, 0, 0, 1)
    padded = F.pad(values, pad, mode="reflect")
    return padded.narrow(axis, 1, values.shape[axis])
