"""Loss of pose estimation: squared error of heatmaps, optionally of the hardest points alone, and cross-entropy.

| batch key | shape | meaning |
|---|---|---|
| heatmaps | (B, K, h, w) float32 | target heatmaps, at the network's output size |
| weights | (B, K) float32 | 0 where a point is unknown or outside the crop |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sapiens.nn import losses
from sapiens.tasks.base import Raw

PCK_SHARE = 0.05


@dataclass(frozen=True)
class LossConfig:
    """Weights and variants of the terms; 0 leaves a term out.

    Attributes:
        mse: weight of the squared error.
        cross_entropy: weight of the cross-entropy over a map's cells. The released training has none; from nothing it
            learns much faster than the squared error, whose gradient is lost among the many empty cells.
        temperature: factor of the predicted map before the softmax over its cells.
        hardest: count only this many points of a person, those with the largest error; 0: all. Fine-tuning after the
            released recipe: 128.
        skip_empty: leave out points whose target heatmap is 0 everywhere.
    """

    mse: float = 10.0
    cross_entropy: float = 0.0
    temperature: float = 20.0
    hardest: int = 0
    skip_empty: bool = False


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms "mse" and "cross_entropy", their sum "loss", and "pck": share of points within 5 % of the heatmap.

    The divisor of the squared error counts unknown points too, as in the released training.

    Args:
        raw: "heatmaps" (B, K, h, w).
        batch: see the table above.
        recipe: `loss` is a `LossConfig`; compat="reference" measures "pck" as the original does.

    Raises:
        InputError: missing targets, of other shapes, NaN or infinite ones.
    """
    config: LossConfig = recipe.loss
    pred = raw["heatmaps"]
    points, height, width = pred.shape[1:]
    losses.check_shapes(batch, pred, heatmaps=f"B {points} {height} {width}", weights=f"B {points}")
    target, weights = batch["heatmaps"], batch["weights"]
    losses.check_targets(batch, "heatmaps", "weights")
    if config.skip_empty:
        weights = weights * (target.flatten(2) > 0).any(2)
    terms = {}
    if config.mse:
        count = config.hardest
        error = hardest_mse(pred, target, weights, count) if count else weighted_mse(pred, target, weights)
        terms["mse"] = config.mse * error
    if config.cross_entropy:
        terms["cross_entropy"] = config.cross_entropy * cell_entropy(pred, target, weights > 0, config.temperature)
    reference = recipe.compat == "reference"
    pck = heatmap_pck(pred.detach(), target, batch["weights"] > 0, reference=reference)
    return {**losses.total(terms, reference=reference), "pck": mean_known(pck)}


def weighted_mse(pred: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean over batch, points and cells of weight * squared error."""
    return (weights[..., None, None] * (pred - target).square()).mean()


def hardest_mse(pred: Tensor, target: Tensor, weights: Tensor, count: int) -> Tensor:
    """Mean over the `count` points of each person with the largest squared error; weights multiply both maps.

    Source: Chen et al., "Cascaded Pyramid Network for Multi-Person Pose Estimation", 2018 (online hard mining).
    """
    errors = (weights[..., None, None] * (pred - target)).square().mean((2, 3))
    return errors.topk(min(count, errors.shape[1]), dim=1).values.mean()


def cell_entropy(pred: Tensor, target: Tensor, known: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between a target map, scaled to sum 1, and the softmax over the cells of the predicted one.

    Args:
        pred, target: (B, K, h, w).
        known: (B, K) bool; of these points the mean is taken, in float32. Maps without a positive cell do not count.
        temperature: multiplies the predicted map.
    """
    target = target.flatten(2).float()
    mass = target.sum(2)
    known = known & (mass > 0)
    log_share = (temperature * pred.flatten(2).float()).log_softmax(2)
    share = target / mass.where(known, torch.ones_like(mass))[..., None]
    return losses.over_mask(-(share * log_share).sum(2), known)


def heatmap_pck(pred: Tensor, target: Tensor, visible: Tensor, *, reference: bool = False) -> Tensor:
    """Share of the visible points whose largest cells lie closer than 5 % of the heatmap.

    Args:
        pred, target: (B, K, h, w).
        visible: (B, K) bool.
        reference: divide x by the height and y by the width, as the original does.

    Returns:
        (K,) float32; NaN for points that nobody shows.
    """
    height, width = pred.shape[-2:]
    sizes = (height, width) if reference else (width, height)
    size_xy = torch.tensor(sizes, device=pred.device)
    distance = torch.linalg.vector_norm((_peaks(pred) - _peaks(target)) / size_xy, dim=-1)
    right: Tensor = (distance < PCK_SHARE) & visible
    return right.sum(0) / visible.sum(0)


def mean_known(values: Tensor) -> Tensor:
    """Mean of what is not NaN; 0 if everything is."""
    known = values.isfinite()
    return values.where(known, torch.zeros_like(values)).sum() / known.sum().clamp_min(1)


def _peaks(heatmaps: Tensor) -> Tensor:
    """(B, K, 2) float32 x, y of the largest cells; (-1, -1) without a positive one."""
    best = heatmaps.flatten(2).max(2)
    width = heatmaps.shape[-1]
    cells = torch.stack([best.indices % width, best.indices // width], -1).float()
    return torch.where(best.values[..., None] > 0, cells, torch.full_like(cells, -1))
