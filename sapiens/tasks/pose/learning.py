"""What learning keypoints means."""

from __future__ import annotations

from sapiens.tasks.learning import Learning
from sapiens.tasks.pose.augment import augment
from sapiens.tasks.pose.data import fit, targets
from sapiens.tasks.pose.keypoints import SWAP_INDEX
from sapiens.tasks.pose.loss import compute_loss
from sapiens.tasks.pose.metrics import Metrics
from sapiens.tasks.pose.recipe import recipe

LEARNING = Learning(
    fields=("keypoints",),
    augment=augment,
    fit=fit,
    targets=targets,
    loss=compute_loss,
    metrics=Metrics,
    headline=("pck_box", "high"),
    recipe=recipe,
    swaps={"keypoints": SWAP_INDEX},
)
