"""Loss of normal estimation: angle, components and their differences between neighbours.

| batch key | shape | meaning |
|---|---|---|
| normals | (B, 3, H, W) float32 | unit normals in the released axes; anything outside the mask |
| mask | (B, H, W) bool | where they are known |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sapiens.imaging.resize import resize_maps
from sapiens.nn import losses
from sapiens.tasks.base import Raw


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; 0 leaves a term out."""

    cosine: float = 10.0
    l1: float = 1.0
    gradient: float = 10.0


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms "cosine", "l1", "gradient", and their sum "loss".

    Args:
        raw: "normals" (B, 3, h, w), of any length; resized bilinearly to the target.
        batch: see the table above.
        recipe: `loss` is a `LossConfig`; compat="reference" counts NaN terms as 0.

    Raises:
        InputError: missing targets, of other shapes, or NaN or infinite inside the mask.
    """
    config: LossConfig = recipe.loss
    losses.check_shapes(batch, raw["normals"], normals="B 3 H W", mask="B H W")
    target, mask = batch["normals"], batch["mask"].bool()[:, None]
    losses.check_targets(batch, "normals", mask=mask)
    pred = resize_maps(raw["normals"], (target.shape[-2], target.shape[-1]))
    parts = {"cosine": losses.cosine, "l1": losses.l1, "gradient": losses.gradient}
    weighted = {
        name: getattr(config, name) * part(pred, target, mask) for name, part in parts.items() if getattr(config, name)
    }
    return losses.total(weighted, reference=recipe.compat == "reference")
