"""What learning mattes means."""

from __future__ import annotations

from sapiens.tasks.learning import Learning
from sapiens.tasks.matting.augment import augment
from sapiens.tasks.matting.data import fit, targets
from sapiens.tasks.matting.loss import compute_loss
from sapiens.tasks.matting.metrics import Metrics
from sapiens.tasks.matting.recipe import recipe

LEARNING = Learning(
    fields=("alpha",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("alpha_mae", "low"),
    recipe=recipe,
    swaps={},
)
