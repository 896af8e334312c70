"""What the tests of crops and tiles share: a network that is never wrong, and pictures."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from torch import nn

import sapiens
from sapiens.inference.predictor import MEAN, STD, Predictor
from sapiens.tasks import get_task
from sapiens.tasks.base import Setup

DENSE = ("seg", "normal", "pointmap", "matting", "albedo")
INPUT_HW = (16, 12)


class Mirror(nn.Module):
    """Gives the picture back, as an albedo network that is never wrong would."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))
        self.batches: list[int] = []

    def forward(self, x):
        self.batches.append(len(x))
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
        return (x * std + mean) / 255 * self.one


def mirror(detail="tiles", task="albedo", batch_size=4, input_hw=INPUT_HW, **changes) -> Predictor:
    kind = dataclasses.replace(get_task(task), **changes)
    setup = Setup(input_hw, "default", kind.options())
    return Predictor(kind, Mirror(), setup, name="mirror", digest="mirror", batch_size=batch_size, detail=detail)


def smooth_picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 9 + columns / 14 + k) * 60 + 128 for k in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


@functools.cache
def untrained(task: str, **options) -> Predictor:
    """The nano network of a task with weights that were never trained."""
    return sapiens.load(task, "nano", weights="untrained", device="cpu", **options)
