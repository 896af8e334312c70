"""Annotations drawn for a person to look at before a run: does the data say what it is meant to say?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.colormap import turbo
from sapiens.drawing.palette import blend, side_by_side, to_picture
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.sample import UNKNOWN_LABEL, Sample

GREEN = (40, 170, 90)
"""Behind cut-out people: a colour that neither skin nor most clothes have."""
NOTHING = 48
"""Grey where an annotation is unknown."""
GOLDEN = 0.61803399


def draw_sample(sample: Sample, field: str) -> Image.Image:
    """The picture, and beside it one of its annotations.

    Args:
        sample: with that annotation.
        field: one of `sapiens.imaging.sample.FIELDS`.
    """
    return Image.fromarray(side_by_side(sample.image, _DRAW[field](sample, sample.fields[field])))


def describe(sample: Sample, field: str) -> str:
    """What the drawing shows, in a few words."""
    height, width = sample.size_hw
    value, text = sample.fields[field], f"{width}x{height}"
    if field == "keypoints":
        return f"{text}, {int((value[:, 2] > 0).sum())} of {len(value)} points"
    if field == "labels":
        classes = np.setdiff1d(np.unique(value), [UNKNOWN_LABEL])
        return f"{text}, {len(classes)} classes, {100 * float((value == UNKNOWN_LABEL).mean()):.0f} % unknown"
    if field == "depth_m":
        known = value[value > 0]
        return f"{text}, {known.min():.2f} to {known.max():.2f} m" if known.size else f"{text}, nothing known"
    if field == "alpha":
        return f"{text}, {100 * float(value.mean()):.0f} % covered"
    return f"{text}, {100 * float((value != 0).any(-1).mean()):.0f} % known" if value.ndim == 3 else text


def _keypoints(sample: Sample, points: npt.NDArray[Any]) -> ImageU8:
    """Seen points filled, hidden ones as rings, coloured by their place in the list; the box in white."""
    canvas = np.ascontiguousarray(sample.image // 2 + 64)
    radius = max(1, round(max(sample.size_hw) / 200))
    if "box_xyxy" in sample.extra:
        x0, y0, x1, y1 = np.rint(sample.extra["box_xyxy"]).astype(int).tolist()
        cv2.rectangle(canvas, (x0, y0), (x1, y1), (255, 255, 255), radius)
    colours = turbo(np.linspace(0.05, 0.95, len(points))).tolist()
    for (x, y, seen), colour in zip(points.tolist(), colours, strict=True):
        if seen > 0:
            cv2.circle(canvas, (round(x), round(y)), radius, colour, -1 if seen > 1 else 1, cv2.LINE_AA)
    return canvas


def _labels(sample: Sample, labels: npt.NDArray[Any]) -> ImageU8:
    """Neighbouring numbers far apart in colour; background and unknown in greys."""
    palette = turbo(np.arange(256) * GOLDEN % 1)
    palette[0], palette[UNKNOWN_LABEL] = NOTHING, 200
    return blend(sample.image, palette[labels], 0.7)


def _normals(sample: Sample, normals: npt.NDArray[Any]) -> ImageU8:
    return np.where((normals != 0).any(-1)[..., None], to_picture(normals * 0.5 + 0.5), NOTHING).astype(np.uint8)


def _depth(sample: Sample, depth: npt.NDArray[Any]) -> ImageU8:
    """Inverse depth, near is red."""
    known = depth > 0
    inverse = 1 / np.where(known, depth, 1)
    low, high = (inverse[known].min(), inverse[known].max()) if known.any() else (0.0, 1.0)
    colours = turbo((inverse - low) / max(high - low, 1e-9))
    return np.where(known[..., None], colours, NOTHING).astype(np.uint8)


def _alpha(sample: Sample, alpha: npt.NDArray[Any]) -> ImageU8:
    """The person before green."""
    foreground = sample.fields.get("foreground", sample.image / 255 * alpha[..., None])
    return to_picture(foreground + (1 - alpha[..., None]) * np.array(GREEN) / 255, rounded=True)


def _mask(sample: Sample, mask: npt.NDArray[Any]) -> ImageU8:
    return np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, axis=2)


def _colour(sample: Sample, colour: npt.NDArray[Any]) -> ImageU8:
    return to_picture(colour, rounded=True)


_DRAW: dict[str, Callable[[Sample, npt.NDArray[Any]], ImageU8]] = {
    "keypoints": _keypoints,
    "labels": _labels,
    "normals": _normals,
    "depth_m": _depth,
    "alpha": _alpha,
    "mask": _mask,
    "foreground": _colour,
    "albedo": _colour,
}
