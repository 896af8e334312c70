"""Sums that do not depend on the order of their terms, so that pictures may be spread over any processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class Sums:
    """Named sums of floats, exact until they are read, and named arrays of whole numbers.

    A float sum is kept as floats that do not overlap and whose exact total it is; reading rounds once. Any order and
    any grouping of the same terms therefore give the same bits. Source: Shewchuk, "Adaptive Precision Floating-Point
    Arithmetic and Fast Robust Geometric Predicates", 1997.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[float]] = {}
        self._counts: dict[str, Counts] = {}

    def add(self, **values: float) -> None:
        """Add a term to each of these sums."""
        for name, value in values.items():
            _grow(self._parts.setdefault(name, []), float(value))

    def tally(self, **counts: npt.ArrayLike) -> None:
        """Add whole numbers, of one shape per name, to each of these arrays."""
        for name, values in counts.items():
            whole = np.asarray(values, np.int64)
            self._counts[name] = self._counts[name] + whole if name in self._counts else whole.copy()

    def total(self, name: str) -> float:
        """A float sum; 0 if nothing was added."""
        return math.fsum(self._parts.get(name, ()))

    def counts(self, name: str) -> Counts:
        """An array of whole numbers; a single 0 if nothing was added."""
        return self._counts.get(name, np.zeros((), np.int64))

    def count(self, name: str) -> int:
        """A single whole number."""
        return int(self.counts(name))

    def mean(self, name: str, by: str) -> float:
        """A float sum divided by a single whole number; NaN if that is 0."""
        return ratio(self.total(name), self.count(by))

    def share(self, name: str, by: str) -> float:
        """A single whole number divided by another; NaN if that is 0."""
        return ratio(self.count(name), self.count(by))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as 1D float64 arrays (the parts of a sum) and int64 arrays."""
        parts = {name: np.array(values, np.float64) for name, values in self._parts.items()}
        return {**parts, **{name: values.copy() for name, values in self._counts.items()}}

    def merge(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add what another one's `state` gave."""
        for name, values in state.items():
            if values.dtype.kind == "i":
                self.tally(**{name: values})
            else:
                for value in values.tolist():
                    self.add(**{name: value})


def ratio(value: float, by: float) -> float:
    """A quotient; NaN if the divisor is 0."""
    return value / by if by else math.nan


def _grow(parts: list[float], value: float) -> None:
    """Add a term to a list of floats that do not overlap, smallest first."""
    kept = 0
    for part in parts:
        larger, smaller = (value, part) if abs(value) >= abs(part) else (part, value)
        value = larger + smaller
        rest = smaller - (value - larger)
        if rest:
            parts[kept] = rest
            kept += 1
    parts[kept:] = [value]
