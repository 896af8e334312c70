"""Augmentation for albedo, in the released order and with the released values: no light or colour is changed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.augment import Range, check_settings, happens, keep, require_pixels, restrict_mask
from sapiens.imaging.augment_geometry import Framing, frame
from sapiens.imaging.augment_photo import add_noise
from sapiens.imaging.sample import Sample
from sapiens.imaging.sample_moves import with_mask


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures with albedo are varied; shares are of the pictures, the defaults those of the released training.

    Attributes:
        framing: scale, crop, flip.
        noise, noise_variance: share, and variance in squared grey levels.
        least_spread: standard deviation that one channel of the known albedo must reach; less is a mistake.
        least_pixels: known pixels that picture and result must have.
        largest_share: of known pixels in a result; a picture filled to the edges shows no outline. Not asked of
            pictures that come without a mask.
    """

    framing: Framing = field(default_factory=Framing)
    noise: float = 0.2
    noise_variance: Range = (5.0, 20.0)
    least_spread: float = 0.02
    least_pixels: int = 16
    largest_share: float = 0.96

    def __post_init__(self) -> None:
        check_settings(self, ("noise", "largest_share"), ("noise_variance",))


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied view of a picture with "albedo", letterboxed to `recipe.input_hw`, with its "mask".

    Args:
        sample: with "albedo"; without "mask" it is known everywhere. NaN leave the mask.
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one); compat="reference": crops may come out one
            pixel short.

    Raises:
        InputError: no albedo, albedo of one colour, too few known pixels, or nearly all.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    largest = config.largest_share if "mask" in sample.fields else 1.0
    sample = _cleaned(with_mask(keep(sample, "albedo", also=("mask",))))
    sample = require_pixels(sample, config.least_pixels)
    spread = float(sample.fields["albedo"][sample.fields["mask"]].std(0).max())
    if spread < config.least_spread:
        raise InputError(
            f"{sample.id}: albedo of one colour (standard deviation {spread:.3f}, expected {config.least_spread:g})",
            hint="augment.least_spread=0 takes it",
        )
    sample = frame(sample, rng, config.framing, recipe.input_hw, short=recipe.compat == "reference")
    if happens(rng, config.noise):
        sample = dataclasses.replace(sample, image=add_noise(sample.image, rng, config.noise_variance))
    return require_pixels(sample, config.least_pixels, largest)


def _cleaned(sample: Sample) -> Sample:
    """NaN leave the mask and become black: linear filters would spread them."""
    albedo = sample.fields["albedo"]
    known = np.asarray(np.isfinite(albedo).all(-1))
    cleaned = albedo if known.all() else np.where(known[..., None], albedo, np.float32(0))
    return restrict_mask(dataclasses.replace(sample, fields={**sample.fields, "albedo": cleaned}), known)
