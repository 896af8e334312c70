"""Looking for problems before a run starts: all of them at once, each with its file and record."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sapiens.datasets.mixture import Mixture, leaves
from sapiens.datasets.opening import open_part
from sapiens.datasets.reader import SHOWN, Problem, Reader, list_problems
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.learning import get_learning

_AT_ONCE = 1024
"""Records handed to the threads together: some hundred million do not fit a list."""
SPOT = 64
"""Records that are read in full where not all are."""


@dataclass(frozen=True)
class DataReport:
    """What is in some data.

    Attributes:
        spec, task: as asked for.
        count: records.
        read: how many of them were read in full.
        problems: records that cannot be used, by file and record.
        notes: what readers left out on purpose, e.g. "12 crowds left out".
        fields: annotation -> records that have it, of those read.
        sizes_hw: smallest and largest height and width of those read.
        parts: of a mixture: spec, records, entries in an epoch.
    """

    spec: str
    task: str
    count: int
    read: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    fields: dict[str, int]
    sizes_hw: tuple[tuple[int, int], tuple[int, int]] | None
    parts: tuple[tuple[str, int, int], ...] = ()

    @property
    def usable(self) -> bool:
        """Nothing is wrong with any record that was read."""
        return not self.problems

    def text(self, shown: int = SHOWN) -> str:
        """The report for people."""
        lines = [f"{self.spec}: {self.count} records for {self.task}, {self.read} read in full"]
        lines += [f"  {spec}: {count} records, {entries} of an epoch" for spec, count, entries in self.parts]
        if self.sizes_hw:
            (low_h, low_w), (high_h, high_w) = self.sizes_hw
            lines.append(f"pictures {low_w}x{low_h} to {high_w}x{high_h} (width x height)")
        lines += [f"{name} in {count}" for name, count in self.fields.items()]
        lines += list(self.notes)
        lines.append(f"{len(self.problems)} problems" if self.problems else "no problems")
        return "\n".join(lines + ([list_problems(self.problems, shown)] if self.problems else []))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; every problem is in it."""
        problems = [vars(problem) for problem in self.problems]
        return {**vars(self), "problems": problems, "parts": [list(part) for part in self.parts]}


def check_data(
    spec: str | Path,
    task: str,
    *,
    at_most: int | None = None,
    threads: int | None = None,
    on_record: Callable[[], object] = lambda: None,
) -> DataReport:
    """Read data as training would, and report all that is wrong.

    Args:
        spec: as `open_data`.
        task: as `open_data`.
        at_most: read no more records than that, spread over the data; None: every one.
        threads: that read; default one per core.
        on_record: called after each record.

    Raises:
        UnknownNameError, InputError: data that cannot be opened at all.
    """
    samples = open_part(str(spec), task)
    survey = _Survey(task)
    problems = [*_inspect(samples)]
    known = {(problem.file, problem.record) for problem in problems}
    read = survey.read(samples, at_most, threads or os.cpu_count() or 1, on_record)
    problems += [problem for problem in read if (problem.file, problem.record) not in known]
    parts: tuple[tuple[str, int, int], ...] = ()
    if isinstance(samples, Mixture):
        parts = tuple((p.spec, len(p.samples), n) for p, n in zip(samples.parts, samples.counts, strict=True))
    notes = tuple(note for leaf in leaves(samples) if isinstance(leaf, Reader) for note in leaf.notes)
    return DataReport(
        str(spec), task, survey.count, survey.done, tuple(problems), notes, dict(survey.fields), survey.sizes_hw, parts
    )


def validate(samples: Sequence[Sample] | str | Path, task: str, *, at_most: int | None = None) -> list[Problem]:
    """Problems of open data, or of a spec; see `check_data`."""
    opened = open_part(str(samples), task) if isinstance(samples, str | Path) else samples
    problems = [*_inspect(opened)]
    known = {(problem.file, problem.record) for problem in problems}
    found = _Survey(task).read(opened, at_most, os.cpu_count() or 1, lambda: None)
    return problems + [problem for problem in found if (problem.file, problem.record) not in known]


def refuse(spec: str, problems: Sequence[Problem]) -> None:
    """Raise if there are problems.

    Raises:
        InputError: lists them.
    """
    if problems:
        many = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise InputError(f"{spec}: {many}\n{list_problems(problems)}", hint="sapiens data check reads every record")


def _inspect(samples: Sequence[Sample]) -> Iterator[Problem]:
    for leaf in leaves(samples):
        if isinstance(leaf, Reader):
            yield from leaf.inspect()


class _Survey:
    """Counts over the records that were read."""

    def __init__(self, task: str) -> None:
        self.needed = {field for name in task.split(",") for field in get_learning(name.strip()).fields}
        self.fields: Counter[str] = Counter()
        self.sizes_hw: tuple[tuple[int, int], tuple[int, int]] | None = None
        self.done = self.count = 0

    def read(
        self, samples: Sequence[Sample], at_most: int | None, threads: int, on_record: Callable[[], object]
    ) -> list[Problem]:
        """Read records, every one of a mixture's parts once."""
        sets = list(leaves(samples))
        ends = np.cumsum([len(leaf) for leaf in sets])
        self.count = int(ends[-1])
        many = self.count if at_most is None else min(at_most, self.count)
        chosen = np.linspace(0, self.count - 1, many).astype(int)
        problems = []
        # Procedural people render inside torch, which has threads of its own.
        pool = ThreadPoolExecutor(threads if all(isinstance(leaf, Reader) for leaf in sets) else 1)
        with pool:
            for first in range(0, many, _AT_ONCE):
                part = chosen[first : first + _AT_ONCE]
                owners = np.searchsorted(ends, part, side="right").tolist()
                within = [int(k) - int(ends[o]) + len(sets[o]) for k, o in zip(part, owners, strict=True)]
                places = [(sets[o], index) for o, index in zip(owners, within, strict=True)]
                problems += self._outcomes(pool, places, on_record)
        return problems

    def _outcomes(
        self, pool: ThreadPoolExecutor, places: Sequence[tuple[Sequence[Sample], int]], on_record: Callable[[], object]
    ) -> list[Problem]:
        problems = []
        for outcome in pool.map(self._one, places):
            on_record()
            if isinstance(outcome, Problem):
                problems.append(outcome)
            else:
                self._count(*outcome)
        return problems

    def _count(self, fields: Sequence[str], size_hw: tuple[int, int]) -> None:
        low, high = self.sizes_hw or (size_hw, size_hw)
        self.sizes_hw = (
            (min(low[0], size_hw[0]), min(low[1], size_hw[1])),
            (max(high[0], size_hw[0]), max(high[1], size_hw[1])),
        )
        self.fields.update(fields)
        self.done += 1

    def _one(self, place: tuple[Sequence[Sample], int]) -> Problem | tuple[tuple[str, ...], tuple[int, int]]:
        """What a record has; in any thread, so nothing is counted here."""
        leaf, index = place
        outcome = leaf.try_read(index) if isinstance(leaf, Reader) else _read_other(leaf, index)
        if isinstance(outcome, Problem):
            return outcome
        lacking = sorted(self.needed - set(outcome.fields))
        if lacking:
            file = leaf.file if isinstance(leaf, Reader) else type(leaf).__name__
            record = leaf.name(index) if isinstance(leaf, Reader) else outcome.id
            return Problem(file, record, f"has no {', '.join(lacking)}")
        return tuple(outcome.fields), outcome.size_hw


def _read_other(samples: Sequence[Sample], index: int) -> Sample | Problem:
    """Data that is no reader of files, e.g. a list of samples."""
    try:
        return samples[index]
    except InputError as error:
        return Problem(type(samples).__name__, f"record {index}", error.message)
