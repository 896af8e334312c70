"""Augmentation for mattes, in the released order and with the released values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.augment import Range, check_settings, happens, keep, uniform
from sapiens.imaging.augment_background import composite, draw_background
from sapiens.imaging.augment_geometry import fit_box, random_crop, random_flip, rotate, shrink_or_enlarge
from sapiens.imaging.augment_photo import Photometric, compress, draw_distortion
from sapiens.imaging.sample import Sample
from sapiens.imaging.sample_moves import window

WHITE = {"image": 255.0}
"""What lies outside the picture; alpha and foreground are 0 there."""


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures with mattes are varied; shares are of the pictures, the defaults those of the released training.

    Attributes:
        backgrounds: folder of pictures to put behind people; "": made-up ones, blurred patches of light and colour.
        background: share, of pictures with a known foreground, that get another background. People who are cut out
            (extra "needs_background") always do.
        jpeg, jpeg_quality: share, and the quality.
        box, box_padding: share that is cropped to the box of the matte, and what is left around it, in box widths.
        resize: factors on the box, of the network's size, that the picture is fitted into.
        crop: share of crops of at most the network's size.
        rotate, degrees: share, and largest angle either way.
        flip: share of mirrored pictures.
        photometric: light and colour, of picture and foreground alike.
    """

    backgrounds: str = ""
    background: float = 0.0
    jpeg: float = 0.5
    jpeg_quality: tuple[int, int] = (30, 60)
    box: float = 0.5
    box_padding: Range = (0.0, 0.1)
    resize: Range = (0.4, 2.0)
    crop: float = 0.5
    rotate: float = 0.5
    degrees: float = 60.0
    flip: float = 0.5
    photometric: Photometric = field(default_factory=lambda: Photometric(share=0.5))

    def __post_init__(self) -> None:
        check_settings(self, ("background", "jpeg", "box", "crop", "rotate", "flip"), ("jpeg_quality", "box_padding"))
        check_settings(self, ranges=("resize",), lowest=0.01)


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied view of a picture with "alpha" (and "foreground" if it is known), at `recipe.input_hw`.

    Args:
        sample: with "alpha"; extra "needs_background" marks a person cut out, whose picture has no background.
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one).

    Raises:
        InputError: no alpha, nobody in the matte, someone cut out without foreground.
        SapiensError: a folder of backgrounds without pictures.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    size = recipe.input_hw
    sample = _before_background(keep(sample, "alpha", also=("foreground",)), rng, config)
    if happens(rng, config.jpeg):
        sample = dataclasses.replace(sample, image=compress(sample.image, rng, config.jpeg_quality))
    if happens(rng, config.box):
        sample = crop_to_matte(sample, uniform(rng, config.box_padding))
    factor = uniform(rng, config.resize)
    sample = fit_box(sample, (factor * size[0], factor * size[1]), larger=cv2.INTER_LINEAR)
    if happens(rng, config.crop):
        sample = random_crop(sample, rng, size)
    if happens(rng, config.rotate):
        sample = rotate(sample, rng, config.degrees, WHITE)
    sample = random_flip(sample, rng, config.flip)
    return _distort(shrink_or_enlarge(sample, size, larger=cv2.INTER_LINEAR), rng, config.photometric)


def _before_background(sample: Sample, rng: np.random.Generator, config: AugmentConfig) -> Sample:
    """Perhaps another background."""
    cut_out = bool(sample.extra.get("needs_background"))
    if not sample.fields["alpha"].any():
        raise InputError(f"{sample.id}: alpha is 0 everywhere: nobody in the picture")
    if "foreground" not in sample.fields:
        if cut_out:
            raise InputError(f"{sample.id}: needs a background, but has no foreground to put before it")
        return sample
    if not (cut_out or happens(rng, config.background)):
        return sample
    background = draw_background(rng, sample.size_hw, config.backgrounds)
    image = composite(sample.fields["foreground"], sample.fields["alpha"], background)
    extra = {name: value for name, value in sample.extra.items() if name != "needs_background"}
    return dataclasses.replace(sample, image=image, extra=extra)


def crop_to_matte(sample: Sample, padding: float) -> Sample:
    """The box of alpha above 0, some of the picture around it, then white to the picture's own aspect ratio.

    Args:
        sample: with "alpha", not 0 everywhere.
        padding: on each side, in widths of the box; no further than the picture goes.
    """
    alpha, (height, width) = sample.fields["alpha"] > 0, sample.size_hw
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    rim = round(padding * (columns[-1] - columns[0] + 1))
    top, bottom = max(int(rows[0]) - rim, 0), min(int(rows[-1]) + 1 + rim, height)
    left, right = max(int(columns[0]) - rim, 0), min(int(columns[-1]) + 1 + rim, width)
    part = window(sample, top, left, (bottom - top, right - left))
    have_height, have_width = part.size_hw
    full_height = max(have_height, round(have_width * height / width))
    full_width = max(have_width, round(have_height * width / height))
    above, before = (full_height - have_height) // 2, (full_width - have_width) // 2
    return window(part, -above, -before, (full_height, full_width), WHITE)


def _distort(sample: Sample, rng: np.random.Generator, config: Photometric) -> Sample:
    """The same change of light and colour to picture and foreground; the foreground stays black where nobody is."""
    apply = draw_distortion(rng, config)
    fields = dict(sample.fields)
    if "foreground" in fields:
        levels = np.clip(np.rint(fields["foreground"] * 255), 0, 255).astype(np.uint8)
        changed = apply(levels).astype(np.float32) / 255
        fields["foreground"] = np.where(fields["alpha"][..., None] > 0, changed, np.float32(0))
    return dataclasses.replace(sample, image=apply(sample.image), fields=fields)
