"""From a picture to part logits and back to labels at the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.resize import resize_bands
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.dense import stretched
from sapiens.tasks.seg.classes import PARTS
from sapiens.tasks.seg.result import SegResult

BAND_BYTES = 16 << 20
"""Logits at picture size that exist at a time; all of them would be 116 bytes per pixel. Larger bands leave the CPU's
caches and take twice as long."""


@dataclass(frozen=True)
class SegOptions:
    """Switches of body-part segmentation.

    Attributes:
        probabilities: also return the probability of every part (58 bytes per pixel).
    """

    probabilities: bool = False

    def __post_init__(self) -> None:
        if self.probabilities not in (True, False):
            raise InputError(f"probabilities: expected true or false, got {self.probabilities!r}")


preprocess = stretched("cubic")


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "logits" (B, 29, h, w), unbounded."""
    return {"logits": model(x)}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> SegResult:
    """Logits (1, 29, h, w), bilinearly resized to the picture -> the best part of every pixel.

    Works in bands of rows, so that memory beyond the result does not grow with the picture.
    """
    labels = np.empty(frame.size_hw, np.uint8)
    probabilities = np.empty((*frame.size_hw, len(PARTS)), np.float16) if setup.options.probabilities else None
    for rows, band in resize_bands(raw["logits"], frame.size_hw, max_bytes=BAND_BYTES):
        # max finds the index three times as fast as argmax does across the first axis.
        labels[rows] = band[0].max(0).indices.to(torch.uint8).cpu().numpy()
        if probabilities is not None:
            probabilities[rows] = band[0].softmax(0).permute(1, 2, 0).half().cpu().numpy()
    return SegResult(meta=meta, image=frame.image, labels=labels, probabilities=probabilities)
