"""What every augmentation needs: chance, the annotations a task keeps, and the pictures it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample

Range = tuple[float, float]
"""Smallest and largest value of a uniform draw."""


def happens(rng: np.random.Generator, share: float) -> bool:
    """Whether something that befalls this share of the pictures befalls this one."""
    return bool(rng.random() < share)


def uniform(rng: np.random.Generator, bounds: Range) -> float:
    """A number between the two."""
    return float(rng.uniform(*bounds))


def check_settings(config: Any, shares: Sequence[str] = (), ranges: Sequence[str] = (), lowest: float = 0.0) -> None:
    """Raise unless these fields are shares in 0..1, and these are ranges that ascend from at least `lowest`.

    Raises:
        InputError: names the field and its value.
    """
    for name in shares:
        value = getattr(config, name)
        if not 0 <= value <= 1:
            raise InputError(f"augment: {name} is a share of the pictures, in 0..1; got {value}")
    for name in ranges:
        low, high = getattr(config, name)
        if not lowest <= low <= high < np.inf:
            raise InputError(f"augment: {name} is a range from small to large, {lowest:g} or more; got {low}, {high}")


def keep(sample: Sample, *needed: str, also: Sequence[str] = ()) -> Sample:
    """The sample with the annotations a task moves, so that no time goes into others.

    Args:
        sample: any.
        needed: fields it must have.
        also: fields kept where it has them.

    Raises:
        InputError: a needed annotation is missing; names it.
    """
    for name in needed:
        if name not in sample.fields:
            raise InputError(f"{sample.id}: has no {name}, which this task learns")
    kept = {name: value for name, value in sample.fields.items() if name in needed or name in also}
    return dataclasses.replace(sample, fields=kept)


def restrict_mask(sample: Sample, known: npt.NDArray[np.bool_]) -> Sample:
    """The mask without pixels whose annotation is not known, e.g. NaN."""
    mask = sample.fields["mask"].astype(bool) & known
    return dataclasses.replace(sample, fields={**sample.fields, "mask": mask})


def require_pixels(sample: Sample, least: int, largest_share: float = 1.0) -> Sample:
    """The sample itself, if its mask has enough pixels, and not nearly all of them.

    Raises:
        InputError: says how many there are.
    """
    count, size = int(np.count_nonzero(sample.fields["mask"])), sample.fields["mask"].size
    if count < least:
        raise InputError(f"{sample.id}: {count} known pixels are left; at least {least} are needed")
    if count > largest_share * size:
        share = f"{100 * count / size:.1f} % of the pixels are known; at most {100 * largest_share:g} % may be"
        raise InputError(f"{sample.id}: {share}", hint="augment.largest_share=1 takes such pictures too")
    return sample
