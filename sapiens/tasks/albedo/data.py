"""From an annotated picture to the albedo that the network learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.dense import fit_letterboxed as fit

__all__ = ["fit", "targets"]


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Albedo (3, h, w) RGB in 0..1 and its mask (h, w) of a sample at the network's size.

    Raises:
        InputError: albedo inside the mask that is NaN or outside 0..1.
    """
    albedo = np.asarray(sample.fields["albedo"], np.float32)
    known = sample.fields.get("mask", np.ones(sample.size_hw, bool)).astype(bool)
    inside = albedo[known]
    # Linear mixing of values in 0..1 may leave it by a rounding.
    if not bool(((inside >= -1e-4) & (inside <= 1.0001)).all()):
        raise InputError(f"{sample.id}: albedo inside the mask must lie in 0..1 and not be NaN")
    colour = np.where(known[..., None], albedo, 0)
    return {"albedo": torch.from_numpy(colour.transpose(2, 0, 1).copy()), "mask": torch.from_numpy(known)}
