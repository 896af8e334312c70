"""Batches over pictures: inputs are grouped by the network's size, whatever the pictures' sizes and people counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from sapiens.errors import NumericError
from sapiens.inference.item import Item, TaskRunner, guarded
from sapiens.tasks.base import Prepared, Raw


@dataclass(eq=False)
class _Open:
    """An item some of whose inputs the network has not seen yet."""

    item: Item
    missing: int
    parts: list[Raw] = field(default_factory=list)
    finite: list[torch.Tensor] = field(default_factory=list)


_Batch = list[tuple[_Open, Prepared]]


def in_batches(items: Iterator[Item], predictor: TaskRunner) -> Iterator[Item]:
    """Run the network over the items' prepared inputs, `predictor.batch_size` at a time; items keep their order.

    An item's raw outputs are collected on it, or, where it has a collage, pasted as they come; an item without inputs
    (an error, nobody found) just waits its turn. In reference mode a batch never spans two pictures, as in the
    original. An error of `items` comes after the items before it, which are finished first. With `predictor.workers`
    above 1 so many passes run at once, in threads.
    """
    opened: deque[_Open] = deque()
    queue: deque[tuple[_Open, Prepared]] = deque()
    passes = _Passes(predictor)
    per_picture = predictor.setup.compat == "reference"

    failure: Exception | None = None
    try:
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
                passes.run(_take(queue, len(queue) if per_picture else predictor.batch_size))
                # Handed on before the next pass, which may fail.
                yield from _ready(opened, predictor)
        while queue:
            passes.run(_take(queue, predictor.batch_size))
            yield from _ready(opened, predictor)
        while passes.finish_one():
            yield from _ready(opened, predictor)
    finally:
        passes.close()
    if failure is not None:
        raise failure


def _ready(opened: deque[_Open], predictor: TaskRunner) -> Iterator[Item]:
    """The first items, up to one that still waits for the network."""
    while opened and not opened[0].missing:
        yield _close(opened.popleft(), predictor)


def _take(queue: deque[tuple[_Open, Prepared]], size: int) -> _Batch:
    return [queue.popleft() for _ in range(min(size, len(queue)))]


class _Passes:
    """Passes through the network: at once on this thread, or several at a time in others, finished in order."""

    def __init__(self, predictor: TaskRunner) -> None:
        self._predictor = predictor
        self._workers: int = getattr(predictor, "workers", 1)
        self._pool = ThreadPoolExecutor(self._workers, "sapiens-network") if self._workers > 1 else None
        self._started: deque[tuple[_Batch, Future[Raw]]] = deque()

    def run(self, batch: _Batch) -> None:
        """Start a pass; one more than there are workers waits for the oldest."""
        if self._pool is None:
            _deliver(batch, self._named(batch, lambda: self._forward(batch)), self._predictor)
            return
        self._started.append((batch, self._pool.submit(self._forward, batch)))
        if len(self._started) > self._workers:
            self.finish_one()

    def finish_one(self) -> bool:
        """Wait for the oldest pass; whether there was one."""
        if not self._started:
            return False
        batch, future = self._started.popleft()
        _deliver(batch, self._named(batch, future.result), self._predictor)
        return True

    def close(self) -> None:
        """Start nothing more; a pass that runs ends by itself."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _forward(self, batch: _Batch) -> Raw:
        return self._predictor.forward([prepared for _, prepared in batch])

    @staticmethod
    def _named(batch: _Batch, get: Callable[[], Raw]) -> Raw:
        try:
            return get()
        except Exception as error:
            error.add_note("while working on " + ", ".join(dict.fromkeys(entry.item.source.id for entry, _ in batch)))
            raise


def _deliver(batch: _Batch, raw: Raw, predictor: TaskRunner) -> None:
    for row, (entry, prepared) in enumerate(batch):
        part = {name: tensor[row : row + 1] for name, tensor in raw.items()}
        entry.missing -= 1
        if "finite" in part:
            entry.finite.append(part.pop("finite"))
        if entry.item.collage is None:
            entry.parts.append(part)
        else:
            _paste(entry, prepared, part, predictor)


def _paste(entry: _Open, prepared: Prepared, part: Raw, predictor: TaskRunner) -> None:
    """An error of this one picture is for it alone."""
    if entry.item.error is None:
        guarded(lambda item: predictor.absorb(item, prepared, part))(entry.item)


def _close(entry: _Open, predictor: TaskRunner) -> Item:
    item = entry.item
    if item.error is None and (entry.parts or entry.finite):
        names = entry.parts[0] if entry.parts else {}
        item.raw = {name: torch.cat([part[name] for part in entry.parts]) for name in names}
        if entry.finite and not bool(torch.cat(entry.finite).all()):
            item.raw, item.collage = {}, None
            item.error = NumericError(
                f"{item.source.id}: the {predictor.task.name} network produced NaN or Inf in {predictor.dtype_name}; "
                "nothing is written for it",
                hint="dtype='float32'" if predictor.dtype_name != "float32" else "check the weights",
            )
    return item
