"""From an annotated person to the crop and the heatmaps that the network learns."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.geometry import BoxCrop
from sapiens.imaging.sample import Sample
from sapiens.tasks.pose.codec import encode
from sapiens.tasks.pose.keypoints import WEIGHTS

INPUT_PER_CELL = 4
"""Pixels of the network's input per heatmap cell."""
RELEASED_SIGMA, RELEASED_ROWS = 6.0, 256
"""Cells; the released width of a target on the released grid. Smaller grids take the same share of theirs."""


def fit(sample: Sample, recipe: Any) -> Sample:
    """The crop of a person's box as prediction takes it; points outside it become unknown.

    Raises:
        InputError: no box, or one that cannot be cropped.
    """
    if "box_xyxy" not in sample.extra:
        raise InputError(f"{sample.id}: pose needs the person's box, extra 'box_xyxy'")
    crop = BoxCrop.from_box(sample.extra["box_xyxy"], recipe.input_hw, recipe.options.get("padding", 1.25))
    points = sample.fields["keypoints"].copy()
    points[:, :2] = crop.points_to_input(points[:, :2])
    height, width = recipe.input_hw
    inside = ((points[:, :2] >= 0) & (points[:, :2] <= (width - 1, height - 1))).all(1)
    points[~inside, 2] = 0
    corners = crop.points_to_input(np.reshape(sample.extra["box_xyxy"], (2, 2)))
    return dataclasses.replace(
        sample,
        image=crop.apply(sample.image),
        fields={"keypoints": points},
        extra={"box_xyxy": corners.reshape(4).astype(np.float32)},
    )


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Heatmaps (308, h/4, w/4) and weights (308,) of a sample at the network's size.

    Raises:
        InputError: points that are not (308, 3), or known ones that are NaN or infinite.
    """
    points = np.asarray(sample.fields["keypoints"], np.float32)
    if points.shape != (len(WEIGHTS), 3):
        raise InputError(f"{sample.id}: keypoints of shape {points.shape}, expected ({len(WEIGHTS)}, 3)")
    known = points[:, 2] > 0
    if not np.isfinite(points[known]).all():
        raise InputError(f"{sample.id}: a known keypoint is NaN or infinite")
    xy = torch.from_numpy(np.where(known[:, None], points[:, :2], 0))
    height, width = recipe.input_hw
    grid_hw = height // INPUT_PER_CELL, width // INPUT_PER_CELL
    sigma = RELEASED_SIGMA * grid_hw[0] / RELEASED_ROWS
    heatmaps, weights = encode(xy, torch.from_numpy(known.astype(np.float32)), recipe.input_hw, grid_hw, sigma)
    return {"heatmaps": heatmaps, "weights": weights * torch.tensor(WEIGHTS)}
