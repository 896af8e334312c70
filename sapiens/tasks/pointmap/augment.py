"""Augmentation for point maps, in the released order and with the released values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.augment import check_settings, keep, require_pixels, restrict_mask
from sapiens.imaging.augment_geometry import Framing, frame
from sapiens.imaging.augment_photo import Photometric, distort
from sapiens.imaging.sample import Sample
from sapiens.imaging.sample_moves import with_mask
from sapiens.tasks.pointmap.config import CANONICAL_FOCAL_PX


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures with depth are varied; the defaults are those of the released training.

    Attributes:
        photometric: light and colour.
        framing: scale, crop, flip.
        least_known: known pixels that a picture must have.
        least_pixels: known pixels that a result must have.
        largest_share: of known pixels in a result; a picture filled to the edges shows no outline. Not asked of
            pictures that come without a mask.
        least_depth: of a result's canonical depth (metres times canonical focal length / focal length).
    """

    photometric: Photometric = field(default_factory=Photometric)
    framing: Framing = field(default_factory=Framing)
    least_known: int = 10
    least_pixels: int = 16
    largest_share: float = 0.96
    least_depth: float = 0.04

    def __post_init__(self) -> None:
        check_settings(self, ("largest_share",))


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied view of a picture with "depth_m" and its camera, letterboxed to `recipe.input_hw`, with its "mask".

    Args:
        sample: with "depth_m" and extra "intrinsics" (3, 3); without "mask" depth is known everywhere. NaN and infinite
            depth leaves the mask.
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one); compat="reference": crops may come out one
            pixel short.

    Raises:
        InputError: no depth or camera, too few known pixels or nearly all, a person too close to the camera.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    largest = config.largest_share if "mask" in sample.fields else 1.0
    sample = with_mask(keep(sample, "depth_m", also=("mask",)))
    if "intrinsics" not in sample.extra:
        raise InputError(f"{sample.id}: points need the camera, extra 'intrinsics' (3, 3)")
    sample = require_pixels(restrict_mask(sample, np.isfinite(sample.fields["depth_m"])), config.least_known)
    sample = dataclasses.replace(sample, image=distort(sample.image, rng, config.photometric))
    sample = frame(sample, rng, config.framing, recipe.input_hw, short=recipe.compat == "reference")
    sample = require_pixels(sample, config.least_pixels, largest)
    focal_px = float(sample.extra["intrinsics"][0, 0])
    scale = recipe.options.get("canonical_focal_px", CANONICAL_FOCAL_PX) / focal_px
    nearest = scale * float(sample.fields["depth_m"][sample.fields["mask"]].min())
    if nearest < config.least_depth:
        raise InputError(f"{sample.id}: canonical depth of {nearest:g}; expected at least {config.least_depth:g}")
    return sample
