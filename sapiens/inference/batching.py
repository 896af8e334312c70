"""Batches over pictures: inputs are grouped by the network's size, whatever the pictures' sizes and people counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from sapiens.errors import NumericError
from sapiens.inference.item import Item, TaskRunner
from sapiens.tasks.base import Prepared, Raw


@dataclass(eq=False)
class _Open:
    """An item some of whose inputs the network has not seen yet."""

    item: Item
    missing: int
    parts: list[Raw] = field(default_factory=list)


def in_batches(items: Iterator[Item], predictor: TaskRunner) -> Iterator[Item]:
    """Run the network over the items' prepared inputs, `predictor.batch_size` at a time; items keep their order.

    An item's raw outputs are collected on it; an item without inputs (an error, nobody found) just waits its turn. In
    reference mode a batch never spans two pictures, as in the original. An error of `items` comes after the items
    before it, which are finished first.
    """
    opened: deque[_Open] = deque()
    queue: deque[tuple[_Open, Prepared]] = deque()
    per_picture = predictor.setup.compat == "reference"

    failure: Exception | None = None
    while True:
        try:
            item = next(items, None)
        except Exception as error:  # noqa: BLE001 - delivered below, after the items that came before it
            failure, item = error, None
        if item is None:
            break
        inputs = item.prepared if item.error is None else []
        entry = _Open(item, len(inputs))
        opened.append(entry)
        queue.extend((entry, p) for p in inputs)
        yield from _ready(opened, predictor)
        while len(queue) >= predictor.batch_size or (per_picture and queue):
            _run_one(queue, predictor, len(queue) if per_picture else predictor.batch_size)
            # Handed on before the next pass, which may fail.
            yield from _ready(opened, predictor)
    while queue:
        _run_one(queue, predictor, predictor.batch_size)
        yield from _ready(opened, predictor)
    if failure is not None:
        raise failure


def _ready(opened: deque[_Open], predictor: TaskRunner) -> Iterator[Item]:
    """The first items, up to one that still waits for the network."""
    while opened and not opened[0].missing:
        yield _close(opened.popleft(), predictor)


def _run_one(queue: deque[tuple[_Open, Prepared]], predictor: TaskRunner, size: int) -> None:
    batch = [queue.popleft() for _ in range(min(size, len(queue)))]
    try:
        raw = predictor.forward([prepared for _, prepared in batch])
    except Exception as error:
        error.add_note("while working on " + ", ".join(dict.fromkeys(entry.item.source.id for entry, _ in batch)))
        raise
    for row, (entry, _) in enumerate(batch):
        entry.parts.append({name: tensor[row : row + 1] for name, tensor in raw.items()})
        entry.missing -= 1


def _close(entry: _Open, predictor: TaskRunner) -> Item:
    item = entry.item
    if item.error is None and entry.parts:
        names = entry.parts[0]
        item.raw = {name: torch.cat([part[name] for part in entry.parts]) for name in names}
        finite = item.raw.pop("finite", None)
        if finite is not None and not bool(finite.all()):
            item.raw = {}
            item.error = NumericError(
                f"{item.source.id}: the {predictor.task.name} network produced NaN or Inf in {predictor.dtype_name}; "
                "nothing is written for it",
                hint="dtype='float32'" if predictor.dtype_name != "float32" else "check the weights",
            )
    return item
