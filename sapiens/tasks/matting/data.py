"""From a matte to the alpha and the foreground that the network learns."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.geometry import Stretch
from sapiens.imaging.sample import Sample

OPAQUE = 0.996
"""Alpha from which a picture's own colour is taken as that of the foreground."""


def fit(sample: Sample, recipe: Any) -> Sample:
    """The whole picture, aspect not kept, as prediction takes it; alpha and foreground are mixed linearly."""
    height, width = recipe.input_hw
    stretch = Stretch(sample.size_hw, recipe.input_hw, "linear")
    fields = {
        name: cv2.resize(value, (width, height), interpolation=cv2.INTER_LINEAR)
        for name, value in sample.fields.items()
        if name in ("alpha", "foreground")
    }
    return dataclasses.replace(sample, image=stretch.apply(sample.image), fields=fields, extra={})


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Alpha (1, h, w), premultiplied foreground (3, h, w) and where it is known (h, w), at the network's size.

    Without a foreground the picture's own colour counts where it is opaque, and black where it is empty.

    Raises:
        InputError: alpha or foreground that is NaN or outside 0..1.
    """
    alpha = np.asarray(sample.fields["alpha"], np.float32)
    foreground = sample.fields.get("foreground")
    known = np.ones(alpha.shape, bool)
    if foreground is None:
        opaque = alpha >= OPAQUE
        foreground = np.where(opaque[..., None], sample.image.astype(np.float32) / 255, 0)
        known = opaque | (alpha == 0)
    for name, value in (("alpha", alpha), ("foreground", foreground)):
        # Linear mixing of values in 0..1 may leave it by a rounding.
        if not bool(((value >= -1e-4) & (value <= 1.0001)).all()):
            raise InputError(f"{sample.id}: {name} must lie in 0..1 and not be NaN")
    return {
        "alpha": torch.from_numpy(alpha[None].copy()),
        "foreground": torch.from_numpy(np.asarray(foreground, np.float32).transpose(2, 0, 1).copy()),
        "mask": torch.from_numpy(known),
    }
