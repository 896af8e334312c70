"""Random numbers that belong to a picture, not to a batch: picture k of a seed is the same in every batch."""

from __future__ import annotations

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def picture_seed(seed: int, index: int) -> int:
    """One well-mixed 63-bit number for picture `index` of `seed` (splitmix64's finaliser)."""
    value = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return (value ^ (value >> 31)) >> 1


class Dice:
    """Uniform numbers drawn beforehand, handed out column by column in the order asked for.

    Args:
        values: (N, K) uniform in 0..1, one row per picture or person.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._next = 0

    def uniforms(self, count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(N, count) uniform in low..high."""
        start, self._next = self._next, self._next + count
        assert self._next <= self._values.shape[1], "more numbers asked for than drawn"
        return low + (high - low) * self._values[:, start : self._next]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(N,) uniform in low..high."""
        return self.uniforms(1, low, high)[:, 0]

    def normal(self, mean: float, spread: float) -> Tensor:
        """(N,) normal, cut at two and a half spreads."""
        unit = torch.erfinv(self.uniform(-0.9876, 0.9876)) * 2**0.5
        return mean + spread * unit

    def chance(self, probability: float) -> Tensor:
        """(N,) bool."""
        return self.uniform() < probability

    def pick(self, *weights: float) -> Tensor:
        """(N,) int64: an index drawn in proportion to `weights`."""
        edges = torch.tensor(weights, device=self._values.device).cumsum(0)
        return torch.bucketize(self.uniform(0.0, float(edges[-1])), edges, right=True).clamp(max=len(weights) - 1)


def roll(seeds: list[int], people: int, columns: int, texture: int) -> tuple[Tensor, Tensor, Tensor]:
    """The numbers of a batch.

    Args:
        seeds: one per picture, from `picture_seed`.
        people: persons a picture needs; four are always drawn, so that the first one does not depend on their number.
        columns: numbers per person and for the picture as a whole.
        texture: numbers for noise.

    Returns:
        (B, columns) for the picture, (B, people, columns) for the persons, (B, texture).
    """
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        rows.append(torch.rand(5 * columns + texture, generator=generator))
    values = torch.stack(rows)
    persons = values[:, columns : 5 * columns].reshape(len(seeds), 4, columns)
    return values[:, :columns], persons[:, :people], values[:, 5 * columns :]
