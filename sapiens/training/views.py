"""Views of an annotated picture that suit every task at once, for several tasks on one backbone.

Prediction shows the network whole pictures (dense tasks) and boxes of persons (pose), so training shows both. A view
only shifts, scales and mirrors: depth and normals then stay true.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.imaging.geometry import BoxCrop, Letterbox
from sapiens.imaging.sample import Sample, warp
from sapiens.imaging.sample_moves import with_mask


@dataclass(frozen=True)
class ViewConfig:
    """How views are drawn.

    Attributes:
        person: share of views that show the box of a person, as pose sees it; the others show the whole picture.
        padding: factor on a person's box.
        shift: largest shift, in sizes of the view.
        zoom: largest factor on the view's size, and its inverse the smallest.
        aspect: likewise for its aspect ratio.
        flip: share of mirrored views.
        light: share of views whose brightness, contrast and colours change.
        noise: share of views with noise, a blur, or both.
    """

    person: float = 0.5
    padding: float = 1.25
    shift: float = 0.12
    zoom: float = 1.3
    aspect: float = 1.08
    flip: float = 0.5
    light: float = 0.5
    noise: float = 0.2


def take_view(sample: Sample, rng: np.random.Generator | None, config: ViewConfig, input_hw: tuple[int, int]) -> Sample:
    """A view of the network's size; without a generator the whole picture, letterboxed.

    In whole pictures of several persons all keypoints are unknown: nothing says whose they would be.
    """
    person = rng is not None and "box_xyxy" in sample.extra and rng.random() < config.person
    matrix = _person_matrix(sample, config, input_hw) if person else _whole_matrix(sample.size_hw, input_hw)
    if rng is not None:
        matrix = _jittered(matrix, rng, config, input_hw)
    border = {"labels": 0.0}
    view = warp(with_mask(sample), matrix, input_hw, interpolation=cv2.INTER_LINEAR, border=border)
    if not person and sample.extra.get("people", 1) > 1:
        points = view.fields["keypoints"].copy()
        points[:, 2] = 0
        view = dataclasses.replace(view, fields={**view.fields, "keypoints": points})
    return view if rng is None else dataclasses.replace(view, image=_disturbed(view.image, rng, config))


def _person_matrix(sample: Sample, config: ViewConfig, input_hw: tuple[int, int]) -> np.ndarray:
    return BoxCrop.from_box(sample.extra["box_xyxy"], input_hw, config.padding).matrix.astype(np.float64)


def _whole_matrix(size_hw: tuple[int, int], input_hw: tuple[int, int]) -> np.ndarray:
    box = Letterbox(size_hw, input_hw)
    left, _, top, _ = box.pad_lrtb
    fx, fy = box.content_hw[1] / size_hw[1], box.content_hw[0] / size_hw[0]
    return np.array([[fx, 0, left + (fx - 1) / 2], [0, fy, top + (fy - 1) / 2]])


def _jittered(
    matrix: np.ndarray, rng: np.random.Generator, config: ViewConfig, input_hw: tuple[int, int]
) -> np.ndarray:
    """Zoom and aspect about the view's centre, then a shift."""
    size_xy = np.array(input_hw[::-1], np.float64)
    zoom = config.zoom ** rng.uniform(-1, 1)
    aspect = config.aspect ** rng.uniform(-1, 1)
    factor = zoom * np.array([aspect, 1 / aspect])
    centre = (size_xy - 1) / 2
    moved = matrix.copy()
    moved[:, :2] *= factor[:, None]
    moved[:, 2] = (matrix[:, 2] - centre) * factor + centre + rng.uniform(-config.shift, config.shift, 2) * size_xy
    return moved


def _disturbed(image: np.ndarray, rng: np.random.Generator, config: ViewConfig) -> np.ndarray:
    """Light and colour of the whole view, then blur and noise: the picture changes, the truth does not."""
    values: npt.NDArray[Any] = image.astype(np.float32)
    if rng.random() < config.light:
        gain = rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3)
        values = (values - 127) * rng.uniform(0.7, 1.3) + 127 + rng.uniform(-25, 25)
        values = values * gain.astype(np.float32)
        grey = values.mean(-1, keepdims=True)
        values = grey + (values - grey) * np.float32(rng.uniform(0.5, 1.4))
    if rng.random() < config.noise:
        if rng.random() < 0.5:
            values = cv2.GaussianBlur(values, (3, 3), rng.uniform(0.3, 1.0))
        values = values + rng.normal(0, rng.uniform(1, 8), values.shape).astype(np.float32)
    return np.asarray(np.clip(values, 0, 255), np.uint8)
