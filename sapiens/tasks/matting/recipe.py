"""Training settings for mattes: those of the released models (size 1b), and of nano."""

from __future__ import annotations

from sapiens.config import Recipe
from sapiens.tasks.matting.augment import AugmentConfig
from sapiens.tasks.matting.loss import LossConfig
from sapiens.tasks.recipes import Settings, make_recipe

SETTINGS = {
    "1b": Settings(14_550, 0.0005, 0.9, 4, "fsdp", "bf16", 8, validate_every=0),
}

NANO_LOSS = LossConfig(gradient=0.1, laplacian=0.0)
"""From nothing, the full weight on edges holds alpha at a flat 0.5. The pyramid takes as long as a head."""


def recipe(size: str) -> Recipe:
    """The settings of a size; sizes that were never released follow the nearest one that was.

    Raises:
        UnknownNameError: no such size.
    """
    return make_recipe("matting", size, SETTINGS, augment=AugmentConfig(), loss=LossConfig(), nano={"loss": NANO_LOSS})
