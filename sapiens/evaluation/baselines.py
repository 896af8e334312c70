"""Trivial answers made from training pictures, with bad records passed over."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta
from sapiens.tasks.yardstick import Answer, Yardstick, get_yardstick

AT_MOST = 256
"""Records that a trivial answer is made from."""


def trivial_answers(task: str, samples: Sequence[Sample], *, at_most: int = AT_MOST) -> dict[str, Answer]:
    """The trivial answers of a task, made from the first pictures of a set.

    Args:
        task: name of the task.
        samples: of the training distribution; where there are none, those of the evaluation itself make the answers
            better than they could be.
        at_most: how many are read.

    Raises:
        InputError: not one of them can be used.
    """
    yardstick = get_yardstick(task)
    if next(_usable(samples, yardstick, task, at_most), None) is None:
        raise InputError(f"none of the {min(len(samples), at_most)} records for trivial answers can be used for {task}")
    return {name: make(_usable(samples, yardstick, task, at_most)) for name, make in yardstick.trivial.items()}


def _usable(samples: Sequence[Sample], yardstick: Yardstick, task: str, at_most: int) -> Iterator[Sample]:
    for index in itertools.islice(range(len(samples)), at_most):
        try:
            sample = samples[index]
            yardstick.truth(sample, trivial_meta(task, "truth", sample))
        except InputError:
            continue  # counted and named where it is evaluated
        yield sample


def trivial_meta(task: str, name: str, sample: Sample) -> Meta:
    """Where a result comes from that no network made."""
    return Meta(sample.id, sample.size_hw, task, name, "none", "float32", "default")
