"""From a picture to raw albedo and back to albedo at the picture's size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sapiens.imaging.frame import Frame
from sapiens.tasks.albedo.result import AlbedoResult
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.dense import letterboxed

preprocess = letterboxed


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "albedo" (B, 3, h, w), RGB, mostly within 0..1."""
    return {"albedo": model(x)}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> AlbedoResult:
    """Raw albedo (1, 3, h, w), clamped to 0..1 at the network's size -> albedo at the picture's size."""
    (item,) = prepared
    albedo = item.geometry.restore(raw["albedo"].clamp(0, 1))[0]
    return AlbedoResult(meta=meta, image=frame.image, albedo=albedo.permute(1, 2, 0).cpu().contiguous().numpy())
