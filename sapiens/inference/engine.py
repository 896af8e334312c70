"""The one engine: pictures in, results out, in order, with decoding, network and writing overlapped.

    sources -> read -> [people] -> prepare -> network -> finish -> [write]
               threads  caller     threads    caller     threads   threads

Library, command line, evaluation, app and batch jobs all call `run`. A picture that fails carries its error to the end
and stops nobody; anything unexpected ends the run at once and names the picture it happened on.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence

from sapiens.inference.batching import in_batches
from sapiens.inference.item import Item, MaskOf, Source, Step, TaskRunner, guarded
from sapiens.inference.overlap import overlap
from sapiens.tasks.base import MaskedResult


def run(
    sources: Iterable[Source],
    predictors: Sequence[TaskRunner],
    *,
    find: Step | None = None,
    mask: MaskOf | None = None,
    write: Step | None = None,
    threads: int = 2,
) -> Generator[Item, None, None]:
    """Move pictures through one or several tasks.

    Args:
        sources: what to read; consumed lazily.
        predictors: the tasks, sharing decoding and person boxes.
        find: sets `people` on an item; needed if a top-down task is among the predictors. Called on this thread.
        mask: foreground mask (H, W) of an item, for the tasks that can use one; may look at its earlier results.
        write: called with each finished item, in threads.
        threads: per stage.

    Yields:
        items in input order, each finished or with its error. Close it (`contextlib.closing`) if it may be left early.
    """
    ahead = 2 + max((p.batch_size for p in predictors), default=1)
    items: Iterator[Item] = (Item(source, index) for index, source in enumerate(sources))
    stages = [items]
    try:
        items = _chain(stages, overlap(guarded(_read), items, workers=threads, ahead=ahead, name="read"))
        if find is not None and any(p.task.top_down for p in predictors):
            items = _chain(stages, map(guarded(find), items))
        for predictor in predictors:
            prepare, finish = guarded(predictor.prepare), guarded(_finisher(predictor, mask))
            items = _chain(stages, overlap(prepare, items, workers=threads, ahead=ahead, name="prepare"))
            items = _chain(stages, in_batches(items, predictor))
            items = _chain(stages, overlap(finish, items, workers=threads, ahead=threads, name="finish"))
        if write is not None:
            items = _chain(stages, overlap(guarded(write), items, workers=threads, ahead=threads + 1, name="write"))
        yield from items
    finally:
        for stage in reversed(stages):
            close = getattr(stage, "close", None)
            if close is not None:
                close()


def _chain(stages: list[Iterator[Item]], stage: Iterator[Item]) -> Iterator[Item]:
    stages.append(stage)
    return stage


def _finisher(predictor: TaskRunner, mask: MaskOf | None) -> Step:
    def finish(item: Item) -> None:
        result = predictor.finish(item)
        found = mask(item) if mask is not None and isinstance(result, MaskedResult) else None
        if found is not None and isinstance(result, MaskedResult):
            result = result.with_mask(found)
        item.results[predictor.task.name] = result
        item.notes += result.meta.notes

    return finish


def _read(item: Item) -> None:
    item.started = time.perf_counter()
    item.frame = item.source.read()
