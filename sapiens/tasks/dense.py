"""What the dense tasks share: one stretched or letterboxed network input per picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.imaging.frame import Frame
from sapiens.imaging.geometry import Letterbox, Stretch
from sapiens.imaging.sample import EXACT, FIELDS, UNKNOWN_LABEL, Sample
from sapiens.tasks.base import Prepared, Setup

Preprocess = Callable[[Frame, npt.NDArray[np.float32] | None, Setup], list[Prepared]]


def letterboxed(frame: Frame, boxes: npt.NDArray[np.float32] | None, setup: Setup) -> list[Prepared]:
    """The whole picture, aspect kept, zeros around it (normals, points, albedo)."""
    return [_apply(Letterbox(frame.size_hw, setup.input_hw), frame)]


def stretched(enlarge: Any) -> Preprocess:
    """The whole picture, aspect not kept (parts: enlarge="cubic"; matting: "linear")."""

    def preprocess(frame: Frame, boxes: npt.NDArray[np.float32] | None, setup: Setup) -> list[Prepared]:
        return [_apply(Stretch(frame.size_hw, setup.input_hw, enlarge), frame)]

    return preprocess


def _apply(geometry: Letterbox | Stretch, frame: Frame) -> Prepared:
    return Prepared(geometry.apply(frame.image), geometry)


def fit_letterboxed(sample: Sample, recipe: Any) -> Sample:
    """An annotated picture as prediction letterboxes it: picture and colours linear, everything exact by nearest pixel.

    The camera follows: factors are those of the whole pixels that the picture fills, offsets are the padding.
    """
    box = Letterbox(sample.size_hw, recipe.input_hw)
    (height, width), (inner_height, inner_width) = sample.size_hw, box.content_hw
    left, _, top, _ = box.pad_lrtb
    inner = (slice(top, top + inner_height), slice(left, left + inner_width))
    fields = {}
    for name, value in sample.fields.items():
        kind = FIELDS[name]
        if kind == "keypoints":
            continue
        how = cv2.INTER_NEAREST if kind in EXACT else cv2.INTER_LINEAR
        source = value.astype(np.uint8) if kind == "mask" else value
        resized = cv2.resize(source, (inner_width, inner_height), interpolation=how)
        outside = UNKNOWN_LABEL if kind == "labels" else 0
        padded = np.full((*recipe.input_hw, *resized.shape[2:]), outside, resized.dtype)
        padded[inner] = resized
        fields[name] = padded.astype(bool) if kind == "mask" else padded
    if "mask" not in fields:
        fields["mask"] = np.zeros(recipe.input_hw, bool)
        fields["mask"][inner] = True
    extra = {}
    if "intrinsics" in sample.extra:
        scaled = np.diag([inner_width / width, inner_height / height, 1.0]) @ np.asarray(sample.extra["intrinsics"])
        scaled[:2, 2] += (left, top)
        extra["intrinsics"] = scaled
    return dataclasses.replace(sample, image=box.apply(sample.image), fields=fields, extra=extra)
