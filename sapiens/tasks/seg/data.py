"""From an annotated picture to the classes that the network learns."""

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
from sapiens.tasks.seg.classes import IGNORE_INDEX, PARTS


def fit(sample: Sample, recipe: Any) -> Sample:
    """The whole picture, aspect not kept, as prediction takes it; labels by the nearest pixel."""
    height, width = recipe.input_hw
    stretch = Stretch(sample.size_hw, recipe.input_hw, "cubic")
    labels = cv2.resize(sample.fields["labels"], (width, height), interpolation=cv2.INTER_NEAREST)
    return dataclasses.replace(sample, image=stretch.apply(sample.image), fields={"labels": labels}, extra={})


def targets(sample: Sample, recipe: Any) -> dict[str, Tensor]:
    """Labels (h, w) int64 of a sample at the network's size.

    Raises:
        InputError: a label that is neither a class nor 255.
    """
    labels = np.asarray(sample.fields["labels"])
    wrong = (labels >= len(PARTS)) & (labels != IGNORE_INDEX)
    if wrong.any():
        raise InputError(f"{sample.id}: label {labels[wrong][0]} is no class (0..{len(PARTS) - 1}, 255: unknown)")
    return {"labels": torch.from_numpy(labels.astype(np.int64))}
