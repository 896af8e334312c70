"""Several sets of data as one, each seen as often as its weight says.

    [[data]]                        # mix.toml; the same in JSON: {"data": [{"spec": ..., "weight": ...}, ...]}
    spec = "parts"
    weight = 2

Weights are relative: a record of a part with weight 2 is seen twice as often as one of a part with weight 1. The
smallest weight is one pass: with weights w, lengths n and m = w / min(w), an epoch is the sum of round(m * n) records,
so every record of every part is in it at least once. A part that is passed more than once starts over; where the last
pass is not whole, its first records are seen once more. Parts are interleaved evenly: entry k of a part that has N
entries stands at the place (k + 1/2) / N of the epoch.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sapiens.config import read_settings
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample


@dataclass(frozen=True)
class Part:
    """One set of a mixture."""

    spec: str
    samples: Sequence[Sample]
    weight: float = 1.0


class Mixture(Sequence[Sample]):
    """The records of all parts in one fixed order; see the module for the arithmetic.

    Args:
        file: for errors.
        parts: at least one.

    Raises:
        InputError: no part, or a weight that is not positive.
    """

    def __init__(self, file: Path | str, parts: Sequence[Part]) -> None:
        if not parts:
            raise InputError(f"{file}: no data in the mixture")
        for part in parts:
            if not (np.isfinite(part.weight) and part.weight > 0):
                raise InputError(f"{file}: {part.spec}: weight {part.weight}; expected a positive number")
        self.file, self.parts = str(file), tuple(parts)
        least = min(part.weight for part in parts)
        self.counts = [round(part.weight / least * len(part.samples)) for part in parts]
        at = np.concatenate([(np.arange(count) + 0.5) / count for count in self.counts])
        owner = np.repeat(np.arange(len(parts), dtype=np.int32), self.counts)
        entry = np.concatenate([np.arange(count) for count in self.counts])
        order = np.argsort(at, kind="stable")  # equal places: parts in their order
        self._owner, self._entry = owner[order], entry[order]

    def __len__(self) -> int:
        return len(self._owner)

    def place(self, index: int) -> tuple[int, int]:
        """Which part an entry comes from, and which of its records it is."""
        owner = int(self._owner[index])
        return owner, int(self._entry[index]) % len(self.parts[owner].samples)

    def __getitem__(self, index: Any) -> Any:
        place = operator.index(index)
        if not 0 <= place < len(self):
            raise IndexError(place)
        owner, record = self.place(place)
        return self.parts[owner].samples[record]


def open_mixture(path: Path, task: str, inside: tuple[Path, ...] = ()) -> Mixture:
    """A mixture from its file; paths in it start from the file's folder, other keys than spec and weight are options.

    Raises:
        InputError: no such file, not a mixture, or one that contains itself; all bad parts at once.
    """
    if path.resolve() in inside:
        raise InputError(f"{path}: the mixture contains itself")
    values = read_settings(path)
    entries = values.get("data")
    unknown = sorted(set(values) - {"data"})
    if not isinstance(entries, list) or not entries or unknown:
        found = f"; it has {', '.join(unknown)}" if unknown else ""
        raise InputError(f"{path}: expected only [[data]] tables with spec and weight{found}")
    parts, wrong = [], []
    for number, entry in enumerate(entries):
        try:
            parts.append(_part(entry, path, task, inside))
        except InputError as error:
            wrong.append(f"{path}, data {number}: {error.message}")
    if wrong:
        raise InputError("\n".join(wrong))
    return Mixture(path, parts)


def _part(entry: Any, path: Path, task: str, inside: tuple[Path, ...]) -> Part:
    from sapiens.datasets.opening import open_part

    if not isinstance(entry, dict) or not isinstance(entry.get("spec"), str):
        raise InputError(f"expected a table with spec, got {entry!r}")
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise InputError(f"weight {weight!r}; expected a number")
    options = {key: value for key, value in entry.items() if key not in ("spec", "weight")}
    samples = open_part(entry["spec"], task, base=path.parent, options=options, inside=(*inside, path.resolve()))
    return Part(entry["spec"], samples, float(weight))


def leaves(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """The sets that a mixture is made of, through mixtures of mixtures; anything else is its own."""
    if isinstance(samples, Mixture):
        for part in samples.parts:
            yield from leaves(part.samples)
    else:
        yield samples
