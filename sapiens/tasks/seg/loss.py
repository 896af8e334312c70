"""Loss of body-part segmentation: weighted cross-entropy and Dice.

| batch key | shape | meaning |
|---|---|---|
| labels | (B, H, W) int64 | 0..28, 255 where unknown |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.resize import resize_maps
from sapiens.nn import losses
from sapiens.tasks.base import Raw
from sapiens.tasks.seg.classes import IGNORE_INDEX, LOSS_WEIGHTS

Divisor = Literal["all", "known", "weights"]


SMALLEST = 1e-6
"""A sum of class weights is taken as at least this."""


@dataclass(frozen=True)
class LossConfig:
    """Weights and variants of the terms; 0 leaves a term out.

    Attributes:
        cross_entropy, dice: weights.
        class_weights: of the cross-entropy, one per class; empty: all 1.
        divisor: what the cross-entropy is divided by: "all" pixels, as released, the number of "known" ones, or the
            sum of the "weights" of the known ones' classes.
        dice_background: the background counts in Dice.
        dice_squared: squared denominators in Dice.
        dice_images: mean over "all" images, those without any part as 0, or over "present": those with one.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    class_weights: tuple[float, ...] = LOSS_WEIGHTS
    divisor: Divisor = "all"
    dice_background: bool = False
    dice_squared: bool = True
    dice_images: Literal["all", "present"] = "all"


def compute_loss(raw: Raw, batch: Mapping[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Weighted terms "cross_entropy" and "dice", their sum "loss", and "accuracy" (percent of known pixels).

    Args:
        raw: "logits" (B, C, h, w); resized bilinearly to the labels.
        batch: see the table above.
        recipe: `loss` is a `LossConfig`; compat="reference" counts NaN terms as 0.

    Raises:
        InputError: missing labels, of another shape, fractions, or neither classes nor 255.
    """
    config: LossConfig = recipe.loss
    losses.check_shapes(batch, raw["logits"], labels="B H W")
    labels = _class_numbers(batch["labels"], raw["logits"].shape[1])
    logits = resize_maps(raw["logits"], (labels.shape[-2], labels.shape[-1]))
    known = labels != IGNORE_INDEX
    terms = {}
    if config.cross_entropy:
        terms["cross_entropy"] = config.cross_entropy * cross_entropy(logits, labels, config)
    if config.dice:
        terms["dice"] = config.dice * _dice(logits, labels, config)
    accuracy = 100 * ((logits.max(1).indices == labels) & known).sum() / known.sum().clamp_min(1)
    return {**losses.total(terms, reference=recipe.compat == "reference"), "accuracy": accuracy.detach()}


def _class_numbers(labels: Tensor, classes: int) -> Tensor:
    """The labels as int64, checked."""
    if labels.is_floating_point():
        raise InputError(f"target 'labels': expected integers, got {labels.dtype}")
    labels = labels.long()
    wrong = (labels != IGNORE_INDEX) & ((labels < 0) | (labels >= classes))
    if bool(wrong.any()):
        raise InputError(f"target 'labels': {int(labels[wrong][0])} is not a class (0..{classes - 1}, 255: unknown)")
    return labels


def cross_entropy(logits: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    """-weight * log probability, summed over known pixels / the config's divisor."""
    values = config.class_weights or (1.0,) * logits.shape[1]
    if len(values) != logits.shape[1]:
        raise InputError(f"loss.class_weights: expected {logits.shape[1]} weights, one per class, got {len(values)}")
    weights = logits.new_tensor(values)
    loss = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE_INDEX, reduction="none").sum()
    known = labels != IGNORE_INDEX
    if config.divisor == "all":
        return loss / labels.numel()
    if config.divisor == "known":
        return loss / known.sum().clamp_min(1)
    return loss / weights[labels[known]].sum().clamp_min(SMALLEST)


def _dice(logits: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    values, present = losses.dice(
        logits, labels, ignore=IGNORE_INDEX, background=config.dice_background, squared=config.dice_squared
    )
    return values.mean() if config.dice_images == "all" else values.sum() / present.sum().clamp_min(1)
