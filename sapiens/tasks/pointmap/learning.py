"""What learning point maps means."""

from __future__ import annotations

from sapiens.tasks.learning import Learning
from sapiens.tasks.pointmap.augment import augment
from sapiens.tasks.pointmap.data import fit, targets
from sapiens.tasks.pointmap.loss import compute_loss
from sapiens.tasks.pointmap.metrics import Metrics
from sapiens.tasks.pointmap.recipe import recipe

LEARNING = Learning(
    fields=("depth_m",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("l2_m", "low"),
    recipe=recipe,
    swaps={},
)
