"""Batches that follow from the seed and their place in the run alone: not from workers or interruptions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.training.lesson import Lesson
from sapiens.training.stop import ignore_signals

Place = tuple[int, int]
"""Epoch and index of a picture."""

RETRIES = 100
"""Bad records in a row before the run gives up: then it is not a few bad records."""


@dataclass(frozen=True)
class Example:
    """Tensors of one picture, its name, and what was wrong with records it stands in for."""

    tensors: dict[str, Tensor]
    id: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Stacked tensors, names of the pictures, and what was wrong with records that were passed over."""

    tensors: dict[str, Tensor]
    ids: tuple[str, ...]
    problems: tuple[str, ...]

    def pin_memory(self) -> Batch:
        """For faster copies to a GPU."""
        return Batch({name: tensor.pin_memory() for name, tensor in self.tensors.items()}, self.ids, self.problems)


class Examples(Dataset[Example]):
    """Samples turned into training examples; the augmentation of a picture follows from (seed, epoch, index) alone."""

    def __init__(self, samples: Sequence[Sample], lesson: Lesson, recipe: Recipe) -> None:
        if len(samples) == 0:
            raise InputError("the training data holds no record")
        self.samples, self.lesson, self.recipe = samples, lesson, recipe

    def __getitem__(self, place: Place) -> Example:
        """The example at a place; a bad record is replaced by another one, drawn repeatably, if the recipe says so.

        Raises:
            InputError: a bad record where the recipe says stop, or `RETRIES` of them in a row.
        """
        epoch, index = place
        rng = np.random.default_rng((self.recipe.seed, epoch, index))
        problems: list[str] = []
        while True:
            try:
                sample = self.samples[index]
                tensors = self.lesson.example(sample, rng)
                return Example(tensors, sample.id, tuple(problems))
            except InputError as error:
                problems.append(str(error))
                if self.recipe.on_bad_record == "stop" or len(problems) == RETRIES:
                    raise
                index = int(rng.integers(len(self.samples)))


class Order(Sampler[list[Place]]):
    """Which pictures make up each pass of one process, from any place in the run on.

    The run is one long row of pictures, epoch after epoch, each epoch in its own order. An update takes the next ones
    from it: passes in turn, within a pass the processes in turn. So one process with a batch of 2 B, two with B, and
    two passes of B see the same pictures in the same update.
    """

    def __init__(self, recipe: Recipe, count: int, *, seen: int, update: int, rank: int = 0, world: int = 1) -> None:
        self.recipe, self.count, self.seen, self.update, self.rank, self.world = (
            recipe,
            count,
            seen,
            update,
            rank,
            world,
        )

    def __iter__(self) -> Iterator[list[Place]]:
        size, place = self.recipe.batch_size, self.seen
        for _ in range(self.update, self.recipe.iterations):
            for _ in range(self.recipe.accumulate):
                first = place + self.rank * size
                yield [self._place(position) for position in range(first, first + size)]
                place += self.world * size

    def __len__(self) -> int:
        return (self.recipe.iterations - self.update) * self.recipe.accumulate

    def _place(self, position: int) -> Place:
        epoch, offset = divmod(position, self.count)
        return epoch, int(self._permutation(epoch)[offset])

    def _permutation(self, epoch: int) -> np.ndarray[Any, Any]:
        if getattr(self, "_kept", (None,))[0] != epoch:
            self._kept = epoch, np.random.default_rng((self.recipe.seed, epoch)).permutation(self.count)
        return self._kept[1]


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples.

    Raises:
        InputError: tensors of different shapes; names the pictures.
    """
    tensors = {}
    for name, first in examples[0].tensors.items():
        for example in examples:
            if example.tensors[name].shape != first.shape:
                raise InputError(
                    f"{example.id}: {name} has shape {tuple(example.tensors[name].shape)}, but in {examples[0].id} "
                    f"{tuple(first.shape)}; one batch needs one shape"
                )
        tensors[name] = torch.stack([example.tensors[name] for example in examples])
    problems = tuple(problem for example in examples for problem in example.problems)
    return Batch(tensors, tuple(example.id for example in examples), problems)


def make_loader(examples: Examples, order: Order, device: torch.device) -> DataLoader[Batch]:
    """A loader over the order; more workers than cores would only wait for each other."""
    workers = min(examples.recipe.workers, cores())
    return DataLoader(
        examples,  # type: ignore[arg-type]  # indexed by place, as the order yields
        batch_sampler=order,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=ignore_signals,
        pin_memory=device.type == "cuda",
        multiprocessing_context="spawn" if workers and device.type == "cuda" else None,
    )


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
