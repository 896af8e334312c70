"""From an annotated picture to the normals that the network learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.dense import fit_letterboxed as fit

__all__ = ["fit", "targets"]

SHORTEST = 1e-6


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Unit normals (3, h, w) and their mask (h, w) of a sample at the network's size.

    Raises:
        InputError: NaN or infinite normals inside the mask.
    """
    normals = np.asarray(sample.fields["normals"], np.float32)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    known = sample.fields.get("mask", np.ones(sample.size_hw, bool)).astype(bool)
    if not np.isfinite(length[known]).all():
        raise InputError(f"{sample.id}: NaN or infinite normals inside the mask")
    # Zero vectors say nothing, e.g. those that readers write where nothing is known.
    known = known & (length[..., 0] > SHORTEST)
    unit = np.where(known[..., None], normals / np.maximum(length, SHORTEST), 0)
    return {"normals": torch.from_numpy(unit.transpose(2, 0, 1).copy()), "mask": torch.from_numpy(known)}
