"""What learning albedo means."""

from __future__ import annotations

from sapiens.tasks.albedo.augment import augment
from sapiens.tasks.albedo.data import fit, targets
from sapiens.tasks.albedo.loss import compute_loss
from sapiens.tasks.albedo.metrics import Metrics
from sapiens.tasks.albedo.recipe import recipe
from sapiens.tasks.learning import Learning

LEARNING = Learning(
    fields=("albedo",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("mae", "low"),
    recipe=recipe,
    swaps={},
)
