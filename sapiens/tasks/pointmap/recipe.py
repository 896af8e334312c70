"""Training settings for point maps: those of the released models (sizes 0.4b to 5b), and of nano."""

from __future__ import annotations

from sapiens.config import Recipe
from sapiens.tasks.pointmap.augment import AugmentConfig
from sapiens.tasks.pointmap.config import NANO_FOCAL_PX
from sapiens.tasks.pointmap.loss import LossConfig
from sapiens.tasks.recipes import Settings, make_recipe

SETTINGS = {
    "0.4b": Settings(20_000, 0.0005, 0.8, 2, "fsdp", "float32", 8),
    "0.8b": Settings(20_000, 0.0005, 0.85, 2, "fsdp", "float32", 6),
    "1b": Settings(40_000, 0.0005, 0.9, 4, "fsdp", "float32", 3),
    "5b": Settings(40_000, 0.0001, 0.94, 4, "fsdp", "float32", 1),
}

NANO_LOSS = LossConfig(enlarged_l1=0.0)
"""The same points twice as large teach nothing new, and take as long as the network."""
NANO = {"options": {"canonical_focal_px": NANO_FOCAL_PX}, "loss": NANO_LOSS}


def recipe(size: str) -> Recipe:
    """The settings of a size; sizes that were never released follow the nearest one that was.

    Raises:
        UnknownNameError: no such size.
    """
    return make_recipe("pointmap", size, SETTINGS, augment=AugmentConfig(), loss=LossConfig(), nano=NANO)
