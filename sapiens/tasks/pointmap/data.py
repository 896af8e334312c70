"""From depth and a camera to the canonical points and the scale that the network learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.dense import fit_letterboxed as fit
from sapiens.tasks.pointmap.config import CANONICAL_FOCAL_PX

__all__ = ["fit", "targets"]


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Canonical points (3, h, w), their mask (h, w), scale (1,) and camera (3, 3) of a sample at the network's size.

    With the camera's focal length f in pixels of the network's input, scale = canonical focal length / f and
    points = scale * metres; u, v count whole pixels.

    Raises:
        InputError: no camera, or depth inside the mask that is NaN, infinite or not positive.
    """
    if "intrinsics" not in sample.extra:
        raise InputError(f"{sample.id}: points need the camera, extra 'intrinsics' (3, 3)")
    camera = np.asarray(sample.extra["intrinsics"], np.float64)
    depth = np.asarray(sample.fields["depth_m"], np.float32)
    known = sample.fields.get("mask", np.ones(sample.size_hw, bool)).astype(bool)
    if not (np.isfinite(depth[known]).all() and (depth[known] > 0).all()):
        raise InputError(f"{sample.id}: depth inside the mask must be positive metres")
    scale = recipe.options.get("canonical_focal_px", CANONICAL_FOCAL_PX) / camera[0, 0]
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float32)
    rays = np.stack([(columns - camera[0, 2]) / camera[0, 0], (rows - camera[1, 2]) / camera[1, 1], np.ones_like(rows)])
    points = np.where(known, rays * depth * scale, 0).astype(np.float32)
    return {
        "points": torch.from_numpy(points),
        "mask": torch.from_numpy(known),
        "scale": torch.tensor([scale], dtype=torch.float32),
        "intrinsics": torch.from_numpy(camera.astype(np.float32)),
    }
