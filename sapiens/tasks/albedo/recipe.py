"""Training settings for albedo: those of the released models (sizes 0.4b to 5b), and of nano."""

from __future__ import annotations

from sapiens.config import Recipe
from sapiens.tasks.albedo.augment import AugmentConfig
from sapiens.tasks.albedo.loss import LossConfig
from sapiens.tasks.recipes import Settings, make_recipe

SETTINGS = {
    "0.4b": Settings(20_000, 0.0005, 0.8, 2, "fsdp", "bf16", 20),
    "0.8b": Settings(20_000, 0.0005, 0.85, 4, "fsdp", "bf16", 12, validate_every=10_000),
    "1b": Settings(40_000, 0.0005, 0.9, 4, "fsdp", "bf16", 7),
    "5b": Settings(40_000, 0.0005, 0.94, 4, "fsdp", "bf16", 3, validate_every=40_000),
}

NANO_LOSS = LossConfig(gradient=0.5)
"""Differences between neighbours are noise to a network that starts from nothing; the angle or colour comes first."""


def recipe(size: str) -> Recipe:
    """The settings of a size; sizes that were never released follow the nearest one that was.

    Raises:
        UnknownNameError: no such size.
    """
    return make_recipe("albedo", size, SETTINGS, augment=AugmentConfig(), loss=LossConfig(), nano={"loss": NANO_LOSS})
