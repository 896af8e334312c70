"""Augmentation for normals, in the released order and with the released values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sapiens.imaging.augment import Range, check_settings, happens, keep, require_pixels, restrict_mask
from sapiens.imaging.augment_geometry import Framing, frame
from sapiens.imaging.augment_photo import Photometric, add_noise, distort, gaussian_blur, lose_detail, solarise
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.sample import Sample
from sapiens.imaging.sample_moves import with_mask


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures with normals are varied; shares are of the pictures, the defaults those of the released training.

    Attributes:
        photometric: light and colour.
        detail, detail_factor: share that is shrunk and enlarged again, and by how much.
        framing: scale, crop, flip.
        blur, blur_sigma: share, and sigma in pixels of a 3x3 Gaussian.
        noise, noise_variance: share, and variance in squared grey levels.
        solarise, solarise_from: share, and the first level that is inverted.
        least_pixels: known pixels that a result must have.
        largest_share: of known pixels in a result; a picture filled to the edges shows no outline. Not asked of
            pictures that come without a mask.
    """

    photometric: Photometric = field(default_factory=Photometric)
    detail: float = 0.2
    detail_factor: Range = (0.1, 0.7)
    framing: Framing = field(default_factory=Framing)
    blur: float = 0.3
    blur_sigma: Range = (0.1, 2.0)
    noise: float = 0.3
    noise_variance: Range = (5.0, 20.0)
    solarise: float = 0.3
    solarise_from: int = 128
    least_pixels: int = 16
    largest_share: float = 0.96

    def __post_init__(self) -> None:
        check_settings(self, ("detail", "blur", "noise", "solarise", "largest_share"), ("noise_variance",))
        check_settings(self, ranges=("detail_factor", "blur_sigma"), lowest=0.01)


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied view of a picture with "normals", letterboxed to `recipe.input_hw`, with its "mask".

    Args:
        sample: with "normals"; without "mask" they are known everywhere. NaN leave the mask.
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one); compat="reference": crops may come out one
            pixel short.

    Raises:
        InputError: no normals, too few known pixels, or nearly all.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    largest = config.largest_share if "mask" in sample.fields else 1.0
    sample = with_mask(keep(sample, "normals", also=("mask",)))
    known = np.asarray(np.isfinite(sample.fields["normals"]).all(-1))
    sample = require_pixels(restrict_mask(sample, known), 1)
    image = distort(sample.image, rng, config.photometric)
    if happens(rng, config.detail):
        image = lose_detail(image, rng, config.detail_factor)
    sample = dataclasses.replace(sample, image=image)
    sample = frame(sample, rng, config.framing, recipe.input_hw, short=recipe.compat == "reference")
    sample = dataclasses.replace(sample, image=_disturb(sample.image, rng, config))
    return require_pixels(sample, config.least_pixels, largest)


def _disturb(image: ImageU8, rng: np.random.Generator, config: AugmentConfig) -> ImageU8:
    if happens(rng, config.blur):
        image = gaussian_blur(image, rng, config.blur_sigma)
    if happens(rng, config.noise):
        image = add_noise(image, rng, config.noise_variance)
    return solarise(image, config.solarise_from) if happens(rng, config.solarise) else image
