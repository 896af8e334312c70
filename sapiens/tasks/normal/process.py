"""From a picture to raw vectors and back to normals at the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sapiens.errors import UnknownNameError
from sapiens.imaging.frame import Frame
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.dense import letterboxed
from sapiens.tasks.normal.result import NormalResult

Axes = Literal["opengl", "opencv"]

SHORTEST = 1e-8
"""Vectors below this length are divided by it instead, so that a zero vector stays zero."""

preprocess = letterboxed


@dataclass(frozen=True)
class NormalOptions:
    """Switches of normal estimation.

    Attributes:
        axes: "opengl" (+x right, +y up, +z to the viewer, as released) or "opencv" (+y down, +z into the picture).
    """

    axes: Axes = "opengl"

    def __post_init__(self) -> None:
        if self.axes not in get_args(Axes):
            raise UnknownNameError("axes", str(self.axes), get_args(Axes))


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "normals" (B, 3, h, w), raw vectors of any length."""
    return {"normals": model(x)}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> NormalResult:
    """Raw vectors (1, 3, h, w) -> normals at the picture's size.

    They get unit length at the network's size, lose the padding and are bilinearly resized, which shortens them
    wherever they turn. The original stops there; by default they get unit length again.
    """
    (item,) = prepared
    normals = item.geometry.restore(unit_length(raw["normals"]))
    if setup.compat != "reference":
        normals = unit_length(normals)
    array = normals[0].permute(1, 2, 0).cpu().contiguous().numpy()
    result = NormalResult(meta=meta, image=frame.image, normals=array)
    return result.to_opencv() if setup.options.axes == "opencv" else result


def unit_length(vectors: Tensor) -> Tensor:
    """(..., 3, h, w) divided by their lengths; vectors shorter than `SHORTEST` stay close to zero."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-3, keepdim=True)
    return vectors / lengths.clamp_min(SHORTEST)
