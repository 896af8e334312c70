"""What learning body parts means."""

from __future__ import annotations

from sapiens.tasks.learning import Learning
from sapiens.tasks.seg.augment import augment
from sapiens.tasks.seg.classes import SWAP_INDEX
from sapiens.tasks.seg.data import fit, targets
from sapiens.tasks.seg.loss import compute_loss
from sapiens.tasks.seg.metrics import Metrics
from sapiens.tasks.seg.recipe import recipe

LEARNING = Learning(
    fields=("labels",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("miou", "high"),
    recipe=recipe,
    swaps={"labels": SWAP_INDEX},
)
