"""Training settings for key points: those of the released models (sizes 0.4b to 5b), and of nano."""

from __future__ import annotations

from sapiens.config import Recipe
from sapiens.tasks.pose.augment import AugmentConfig
from sapiens.tasks.pose.loss import LossConfig
from sapiens.tasks.recipes import Settings, make_recipe

SETTINGS = {
    "0.4b": Settings(10_000, 0.0005, 0.8, 2, "fsdp", "bf16", 6),
    "0.8b": Settings(10_000, 0.0005, 0.85, 4, "fsdp", "bf16", 12),
    "1b": Settings(20_000, 0.0005, 0.9, 4, "fsdp", "bf16", 7),
    "5b": Settings(20_000, 0.0001, 0.94, 4, "fsdp", "bf16", 2),
}

NANO_LOSS = LossConfig(mse=10.0, cross_entropy=1.0)
"""Cross-entropy over the cells learns much faster from nothing; the squared error keeps maps at their height."""


def recipe(size: str) -> Recipe:
    """The settings of a size; sizes that were never released follow the nearest one that was.

    The flip test is for prediction: training runs the network once.

    Raises:
        UnknownNameError: no such size.
    """
    return make_recipe(
        "pose",
        size,
        SETTINGS,
        augment=AugmentConfig(),
        loss=LossConfig(),
        options={"flip": False},
        nano={"loss": NANO_LOSS},
    )
