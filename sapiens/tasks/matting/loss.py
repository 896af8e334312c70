"""Loss of matting: alpha and premultiplied foreground, each by value, by edges and by Laplacian pyramid.

| batch key | shape | meaning |
|---|---|---|
| alpha | (B, 1, H, W) float32 | 0..1 |
| foreground | (B, 3, H, W) float32 | RGB in 0..1, premultiplied by alpha |
| mask | (B, H, W) bool | where the foreground is known; all of a picture with a true foreground |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sapiens.imaging.resize import resize_maps
from sapiens.nn import losses
from sapiens.tasks.base import Raw

Term = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; each counts once on alpha and once on the foreground. 0 leaves a term out."""

    l1: float = 1.0
    gradient: float = 1.0
    laplacian: float = 1.0


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms "l1_alpha", "l1_foreground", "gradient_alpha", and so on, and their sum "loss".

    Args:
        raw: "matte" (B, 4 or 1, h, w): premultiplied R, G, B, then alpha; resized bilinearly to the target. A network
            with alpha alone has no foreground terms.
        batch: see the table above.
        recipe: `loss` is a `LossConfig`; compat="reference" counts NaN terms as 0.

    Raises:
        InputError: missing targets, of other shapes, NaN or infinite ones.
    """
    losses.check_shapes(batch, raw["matte"], alpha="B 1 H W", foreground="B 3 H W", mask="B H W")
    alpha, mask = batch["alpha"], batch["mask"].bool()[:, None]
    losses.check_targets(batch, "alpha")
    losses.check_targets(batch, "foreground", mask=mask)
    pred = resize_maps(raw["matte"], (alpha.shape[-2], alpha.shape[-1]))
    # Unknown colours are left out before any filter spreads them; they are 0 in the released training data as well.
    foreground = torch.where(mask | batch["foreground"].isfinite(), batch["foreground"], torch.zeros_like(alpha))
    parts: dict[str, Term] = {"l1": _l1, "gradient": losses.sobel, "laplacian": losses.laplacian}
    terms = {}
    for name, part in parts.items():
        weight = getattr(recipe.loss, name)
        if weight:
            terms[f"{name}_alpha"] = weight * part(pred[:, -1:], alpha, torch.ones_like(mask))
        if weight and pred.shape[1] > 1:
            terms[f"{name}_foreground"] = weight * part(pred[:, :-1], foreground, mask)
    return losses.total(terms, reference=recipe.compat == "reference")


def _l1(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over all elements; the mask does not enter the divisor."""
    return (mask * (pred - target).abs()).mean()
