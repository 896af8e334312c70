"""Random geometry for every kind of annotation: scale, crops, rotation, flip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sapiens.imaging.augment import Range, check_settings, happens, uniform
from sapiens.imaging.sample import UNKNOWN_LABEL, Sample, flip, warp
from sapiens.imaging.sample_moves import letterbox, resize, window


@dataclass(frozen=True)
class Framing:
    """Scale, crop and flip before the letterbox, as for normals, points and albedo.

    Attributes:
        scale_share, scale: of the pictures, and the factor on both sides.
        crop_share: of the pictures.
        crop_aspect: width / height of the crop.
        crop_area: of the crop, as a share of the picture's.
        crop_tries: draws until a crop fits into the picture; then there is none.
        flip: share of the pictures.
    """

    scale_share: float = 0.3
    scale: Range = (0.5, 2.0)
    crop_share: float = 0.3
    crop_aspect: Range = (0.5, 2.0)
    crop_area: Range = (0.4, 1.0)
    crop_tries: int = 8
    flip: float = 0.3

    def __post_init__(self) -> None:
        check_settings(self, ("scale_share", "crop_share", "flip"), ("scale", "crop_aspect", "crop_area"), 0.01)


def frame(
    sample: Sample, rng: np.random.Generator, config: Framing, size_hw: tuple[int, int], *, short: bool = False
) -> Sample:
    """Scale, crop, flip, then letterbox to `size_hw`; a "mask" is added where there is none.

    Args:
        sample: any.
        rng, config: see `Framing`.
        size_hw: of the result.
        short: as the original, whose crops may start one pixel too far, and are then one pixel short.
    """
    if happens(rng, config.scale_share):
        sample = random_scale(sample, rng, config.scale)
    if happens(rng, config.crop_share):
        sample = area_crop(sample, rng, config, short=short)
    if happens(rng, config.flip):
        sample = flip(sample, {})
    return letterbox(sample, size_hw)


def random_scale(sample: Sample, rng: np.random.Generator, scale: Range) -> Sample:
    """Both sides times a drawn factor; a camera's four entries too."""
    factor = uniform(rng, scale)
    height, width = (max(1, int(size * factor)) for size in sample.size_hw)
    return resize(sample, (height, width), camera_factor=factor)


def fit_box(
    sample: Sample, box_hw: tuple[float, float], filters: Mapping[str, int] | None = None, *, larger: int
) -> Sample:
    """As large as fits into a box, aspect kept; the picture area-averaged where it gets narrower, else filter `larger`.

    Args:
        sample: any.
        box_hw: height and width.
        filters: of fields, as in `resize`.
        larger: OpenCV flag.
    """
    height, width = sample.size_hw
    factor = min(box_hw[0] / height, box_hw[1] / width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return shrink_or_enlarge(sample, size, filters, larger=larger)


def shrink_or_enlarge(
    sample: Sample, size_hw: tuple[int, int], filters: Mapping[str, int] | None = None, *, larger: int
) -> Sample:
    """To a size; the picture and its foreground by area where they get narrower, else with the filter `larger`."""
    how = cv2.INTER_AREA if size_hw[1] < sample.size_hw[1] else larger
    return resize(sample, size_hw, filters={"image": how, "foreground": how, **(filters or {})})


def area_crop(sample: Sample, rng: np.random.Generator, config: Framing, *, short: bool = False) -> Sample:
    """A crop of drawn area and aspect; the picture itself if none of `crop_tries` draws fits into it.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015.
    """
    height, width = sample.size_hw
    for _ in range(config.crop_tries):
        area, aspect = uniform(rng, config.crop_area) * height * width, uniform(rng, config.crop_aspect)
        rows, columns = max(1, round(math.sqrt(area / aspect))), max(1, round(math.sqrt(area * aspect)))
        if rows <= height and columns <= width:
            top, left = (
                int(rng.integers(size - part + 1 + short)) for size, part in ((height, rows), (width, columns))
            )
            return window(sample, top, left, (min(rows, height - top), min(columns, width - left)))
    return sample


def random_crop(sample: Sample, rng: np.random.Generator, size_hw: tuple[int, int]) -> Sample:
    """A crop of at most this size, anywhere in the picture."""
    rows, columns = (min(have, want) for have, want in zip(sample.size_hw, size_hw, strict=True))
    top, left = int(rng.integers(sample.size_hw[0] - rows + 1)), int(rng.integers(sample.size_hw[1] - columns + 1))
    return window(sample, top, left, (rows, columns))


def balanced_crop(
    sample: Sample, rng: np.random.Generator, size_hw: tuple[int, int], largest_share: float, tries: int
) -> Sample:
    """A crop in which no class has too large a share of the known pixels; the last draw if none is such.

    A smaller picture is padded first at the bottom and on the right: black, labels unknown.

    Args:
        sample: with "labels".
        size_hw: of the crop.
        largest_share: of a class; there must be a second one too.
        tries: draws.
    """
    padded_hw = max(sample.size_hw[0], size_hw[0]), max(sample.size_hw[1], size_hw[1])
    padded = window(sample, 0, 0, padded_hw)
    top = left = 0
    for _ in range(tries):
        top, left = (int(rng.integers(have - want + 1)) for have, want in zip(padded_hw, size_hw, strict=True))
        labels = padded.fields["labels"][top : top + size_hw[0], left : left + size_hw[1]]
        counts = np.bincount(labels.ravel(), minlength=256)[:UNKNOWN_LABEL]
        if np.count_nonzero(counts) > 1 and counts.max() <= largest_share * counts.sum():
            break
    return window(padded, top, left, size_hw)


def rotate(
    sample: Sample, rng: np.random.Generator, degrees: float, border: Mapping[str, float] | None = None
) -> Sample:
    """Turned about its centre by up to this many degrees either way, at the same size; picture linear.

    Args:
        sample: any without depth.
        degrees: largest angle.
        border: as in `warp`.
    """
    height, width = sample.size_hw
    angle = uniform(rng, (-degrees, degrees))
    centre = (width - 1) / 2, (height - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, angle, 1.0), np.float64)
    return warp(sample, matrix, sample.size_hw, border=border)


def random_flip(
    sample: Sample, rng: np.random.Generator, share: float, swaps: Mapping[str, Sequence[int]] | None = None
) -> Sample:
    """Mirrored in this share of the draws."""
    return flip(sample, swaps or {}) if happens(rng, share) else sample
