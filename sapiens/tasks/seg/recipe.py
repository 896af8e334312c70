"""Training settings for body parts: those of the released models (sizes 0.4b to 5b), and of nano."""

from __future__ import annotations

import math

from sapiens.config import Recipe
from sapiens.tasks.recipes import Settings, make_recipe
from sapiens.tasks.seg.augment import AugmentConfig
from sapiens.tasks.seg.classes import LOSS_WEIGHTS
from sapiens.tasks.seg.loss import LossConfig

SETTINGS = {
    "0.4b": Settings(20_000, 0.0005, 0.8, 2, "ddp", "bf16", 12),
    "0.8b": Settings(30_000, 0.0005, 0.85, 4, "ddp", "float32", 5),
    "1b": Settings(20_000, 0.0005, 0.9, 4, "fsdp", "bf16", 8),
    "5b": Settings(50_000, 0.0005, 0.94, 4, "fsdp", "bf16", 2, save_every=2_000, validate_every=10_000),
}

NANO_LOSS = LossConfig(class_weights=tuple(math.sqrt(weight) for weight in LOSS_WEIGHTS), dice_images="present")
"""The released class weights make a small network find rare parts everywhere; their square roots do so less."""


def recipe(size: str) -> Recipe:
    """The settings of a size; sizes that were never released follow the nearest one that was.

    Raises:
        UnknownNameError: no such size.
    """
    return make_recipe("seg", size, SETTINGS, augment=AugmentConfig(), loss=LossConfig(), nano={"loss": NANO_LOSS})
