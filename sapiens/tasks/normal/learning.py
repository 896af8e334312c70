"""What learning surface normals means."""

from __future__ import annotations

from sapiens.tasks.learning import Learning
from sapiens.tasks.normal.augment import augment
from sapiens.tasks.normal.data import fit, targets
from sapiens.tasks.normal.loss import compute_loss
from sapiens.tasks.normal.metrics import Metrics
from sapiens.tasks.normal.recipe import recipe

LEARNING = Learning(
    fields=("normals",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("mean_deg", "low"),
    recipe=recipe,
    swaps={},
)
