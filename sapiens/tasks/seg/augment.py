"""Augmentation for body parts, in the released order and with the released values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.augment import Range, check_settings, happens, keep, uniform
from sapiens.imaging.augment_background import draw_background, swap_background
from sapiens.imaging.augment_geometry import balanced_crop, fit_box, random_flip, rotate, shrink_or_enlarge
from sapiens.imaging.augment_photo import Photometric, add_noise, distort, gaussian_blur
from sapiens.imaging.sample import Sample
from sapiens.tasks.seg.classes import IGNORE_INDEX, SWAP_INDEX


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures with labels are varied; shares are of the pictures, the defaults those of the released training.

    Attributes:
        backgrounds: folder of pictures to put behind people; "": backgrounds stay as they are.
        swap: share that gets another background, of pictures not marked `extra["in_the_wild"]`.
        resize: factors on the box, of the network's size, that the picture is fitted into.
        crop: share of crops of the network's size.
        crop_class_share, crop_tries: most that one class may have of a crop, and draws until one is such.
        blur, blur_sigma: share, and sigma in pixels of a 3x3 Gaussian.
        noise, noise_variance: share, and variance in squared grey levels.
        rotate, degrees: share, and largest angle either way.
        flip: share of mirrored pictures.
        photometric: light and colour.
        least_foreground: pixels; pictures with fewer of parts are refused.
        least_share: result with less of parts are refused; share of all pixels.
    """

    backgrounds: str = ""
    swap: float = 0.8
    resize: Range = (0.4, 2.0)
    crop: float = 0.3
    crop_class_share: float = 0.75
    crop_tries: int = 10
    blur: float = 0.3
    blur_sigma: Range = (0.1, 2.0)
    noise: float = 0.3
    noise_variance: Range = (5.0, 20.0)
    rotate: float = 0.5
    degrees: float = 60.0
    flip: float = 0.5
    photometric: Photometric = field(default_factory=Photometric)
    least_foreground: int = 8
    least_share: float = 0.01

    def __post_init__(self) -> None:
        shares = ("swap", "crop", "crop_class_share", "blur", "noise", "rotate", "flip", "least_share")
        check_settings(self, shares, ("noise_variance",))
        check_settings(self, ranges=("resize", "blur_sigma"), lowest=0.01)


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied view of a picture with "labels", at `recipe.input_hw`.

    Args:
        sample: with "labels".
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one); compat="reference" counts unknown pixels (255)
            as foreground, before the background is changed and when foreground is asked for.

    Raises:
        InputError: no labels, too little foreground.
        SapiensError: a folder of backgrounds without pictures.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    height, width = recipe.input_hw
    sample = _swap(keep(sample, "labels"), rng, config, reference=recipe.compat == "reference")
    factor = uniform(rng, config.resize)
    sample = fit_box(sample, (factor * height, factor * width), larger=cv2.INTER_CUBIC)
    if happens(rng, config.crop):
        sample = balanced_crop(sample, rng, (height, width), config.crop_class_share, config.crop_tries)
    image = sample.image
    if happens(rng, config.blur):
        image = gaussian_blur(image, rng, config.blur_sigma)
    if happens(rng, config.noise):
        image = add_noise(image, rng, config.noise_variance)
    sample = dataclasses.replace(sample, image=image)
    if happens(rng, config.rotate):
        # What turns in from outside is black and background, as in the released training.
        sample = rotate(sample, rng, config.degrees, {"labels": 0})
    sample = random_flip(sample, rng, config.flip, {"labels": SWAP_INDEX})
    sample = dataclasses.replace(sample, image=distort(sample.image, rng, config.photometric))
    sample = shrink_or_enlarge(sample, (height, width), larger=cv2.INTER_CUBIC)
    return _require_parts(sample, int(np.ceil(config.least_share * height * width)))


def _swap(sample: Sample, rng: np.random.Generator, config: AugmentConfig, *, reference: bool) -> Sample:
    """Perhaps another background; raises if there is next to no foreground."""
    labels = sample.fields["labels"]
    foreground = labels > 0 if reference else (labels > 0) & (labels != IGNORE_INDEX)
    if np.count_nonzero(foreground) < config.least_foreground:
        raise InputError(f"{sample.id}: fewer than {config.least_foreground} pixels of parts in the labels")
    if not config.backgrounds or sample.extra.get("in_the_wild") or not happens(rng, config.swap):
        return sample
    return swap_background(sample, draw_background(rng, sample.size_hw, config.backgrounds), foreground)


def _require_parts(sample: Sample, least: int) -> Sample:
    labels = sample.fields["labels"]
    count = int(np.count_nonzero((labels > 0) & (labels != IGNORE_INDEX)))
    if count < least:
        raise InputError(f"{sample.id}: {count} pixels of parts are left of the augmented picture; expected {least}")
    return sample
