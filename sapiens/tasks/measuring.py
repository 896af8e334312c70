"""What the metrics of several tasks share: sums over pictures, and annotations checked before anything is counted.

A picture that cannot be counted raises before a sum changes, so that it can be left out and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.sample import Sample
from sapiens.nn.sums import Sums
from sapiens.tasks.base import Compat, Result

R = TypeVar("R", bound=Result)
Mask = npt.NDArray[np.bool_]


class SumMetrics:
    """Metrics whose state is sums.

    Args:
        compat: "reference" counts as the original's evaluators do, wherever that differs.

    Raises:
        UnknownNameError: another mode.
    """

    def __init__(self, compat: Compat = "default") -> None:
        if compat not in ("default", "reference"):
            raise UnknownNameError("compat mode", compat, ["default", "reference"])
        self.compat = compat
        self.sums = Sums()

    @property
    def reference(self) -> bool:
        """Whether to count as the original does."""
        return self.compat == "reference"

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The sums, to be sent between processes."""
        return self.sums.state()

    def merge(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add another process's sums."""
        self.sums.merge(state)


def expect(result: Result, kind: type[R], sample: Sample) -> R:
    """The result, if it is of this kind and of the sample's size.

    Raises:
        InputError: it is not.
    """
    if not isinstance(result, kind):
        raise InputError(f"{sample.id}: expected a {kind.__name__}, got a {type(result).__name__}")
    if tuple(result.meta.size_hw) != sample.size_hw:
        raise InputError(
            f"{sample.id}: the result is {result.meta.size_hw}, the sample {sample.size_hw} pixels (height, width)"
        )
    return result


def annotation(sample: Sample, name: str) -> npt.NDArray[Any]:
    """An annotation of the sample.

    Raises:
        InputError: it has none of that name.
    """
    if name not in sample.fields:
        have = ", ".join(sample.fields) or "nothing"
        raise InputError(f"{sample.id}: has no {name}, only {have}; it cannot be compared")
    return sample.fields[name]


def known_mask(sample: Sample) -> Mask:
    """(H, W) bool: where the annotations count; everywhere if the sample has no mask."""
    mask = sample.fields.get("mask")
    return np.ones(sample.size_hw, bool) if mask is None else np.asarray(mask, bool)


def check_finite(sample: Sample, **values: npt.NDArray[Any]) -> None:
    """Raise unless all of these are finite.

    Raises:
        InputError: names the first that is not.
    """
    for name, value in values.items():
        bad = int(np.size(value) - np.isfinite(value).sum())
        if bad:
            raise InputError(f"{sample.id}: {bad} values of {name.replace('_', ' ')} are NaN or infinite")
