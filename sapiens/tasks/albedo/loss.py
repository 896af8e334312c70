"""Loss of albedo estimation: colour, differences between neighbours, and chromaticity.

| batch key | shape | meaning |
|---|---|---|
| albedo | (B, 3, H, W) float32 | RGB in 0..1, display-encoded; anything outside the mask |
| mask | (B, H, W) bool | where it is known |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sapiens.imaging.resize import resize_maps
from sapiens.nn import losses
from sapiens.tasks.base import Raw

EPS = 1e-6


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; 0 leaves a term out.

    Attributes:
        low_frequency: of the albedo averaged over blocks; not used by the released models.
        block: side of these blocks in pixels.
    """

    l1: float = 2.0
    gradient: float = 2.0
    chroma: float = 1.0
    low_frequency: float = 0.0
    block: int = 32


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms "l1", "gradient", "chroma" (and "low_frequency" if asked for), and their sum "loss".

    Args:
        raw: "albedo" (B, 3, h, w) RGB; resized bilinearly to the target.
        batch: see the table above.
        recipe: `loss` is a `LossConfig`; compat="reference" counts NaN terms as 0.

    Raises:
        InputError: missing targets, of other shapes, or NaN or infinite inside the mask.
    """
    config: LossConfig = recipe.loss
    losses.check_shapes(batch, raw["albedo"], albedo="B 3 H W", mask="B H W")
    target, mask = batch["albedo"], batch["mask"].bool()[:, None]
    losses.check_targets(batch, "albedo", mask=mask)
    pred = resize_maps(raw["albedo"], (target.shape[-2], target.shape[-1]))
    terms = {}
    if config.l1:
        terms["l1"] = config.l1 * losses.l1(pred, target, mask)
    if config.gradient:
        terms["gradient"] = config.gradient * losses.gradient(pred, target, mask) / 2
    if config.chroma:
        terms["chroma"] = config.chroma * losses.l1(chromaticity(pred.clamp(0, 1)), chromaticity(target), mask)
    if config.low_frequency:
        terms["low_frequency"] = config.low_frequency * low_frequency(pred, target, mask, config.block)
    return losses.total(terms, reference=recipe.compat == "reference")


def chromaticity(rgb: Tensor) -> Tensor:
    """(B, 3, h, w) RGB / (R + G + B + 1e-6)."""
    return rgb / (rgb.sum(1, keepdim=True) + EPS)


def low_frequency(pred: Tensor, target: Tensor, mask: Tensor, block: int) -> Tensor:
    """L1 between the two, each averaged over the valid pixels of blocks and enlarged bilinearly."""
    return losses.l1(_blurred(pred, mask, block), _blurred(target, mask, block), mask)


def _blurred(values: Tensor, mask: Tensor, block: int) -> Tensor:
    height, width = values.shape[-2:]
    small = max(1, height // block), max(1, width // block)
    weight = mask.to(values.dtype)
    sums, weights = (
        resize_maps(F.interpolate(maps, size=small, mode="area"), (height, width))
        for maps in (losses.inside(values, mask), weight)
    )
    return sums / (weights + EPS)
