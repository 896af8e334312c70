"""The one engine: pictures and clips in, results out, in order, with decoding, network and writing overlapped.

    sources -> read -> [people] -> prepare -> network -> finish -> [refine] -> [write] -> [collect]
               threads  caller     threads    caller     threads    caller     threads    one thread

Library, command line, evaluation, app and batch jobs all call `run`. A picture that fails carries its error to the end
and stops nobody; anything unexpected, and a full disk, ends the run at once and names the picture it happened on. What
was finished before it is handed over first.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from sapiens.inference.batching import in_batches
from sapiens.inference.crops import CropFinder
from sapiens.inference.item import Clip, Item, MaskOf, Source, Step, TaskRunner, guarded
from sapiens.inference.overlap import overlap
from sapiens.tasks.base import MaskedResult


def run(
    sources: Iterable[Source | Clip],
    predictors: Sequence[TaskRunner],
    *,
    find: Step | None = None,
    mask: MaskOf | None = None,
    refine: Step | None = None,
    write: Step | None = None,
    collect: Step | None = None,
    threads: int | None = None,
) -> Generator[Item, None, None]:
    """Move pictures through one or several tasks.

    Args:
        sources: what to read; consumed lazily, a clip frame by frame.
        predictors: the tasks, sharing decoding and person boxes.
        find: sets `people` on an item; needed if a top-down task is among the predictors, made by the first that
            wants crops of people if none is given. Called in order, on this thread.
        mask: foreground mask (H, W) of an item, for the tasks that can use one; may look at its earlier results.
        refine: called with each finished item, in order, on this thread; may change its results.
        write: called with each finished item, in threads.
        collect: called with every item, also failed ones, in order, one at a time, in a thread.
        threads: per stage; default half of the cores this process may use, 2 to 16.

    Yields:
        items in input order, each finished or with its error. Close it (`contextlib.closing`) if it may be left early.
    """
    flattened = _flattened(sources)
    threads = default_threads() if threads is None else threads
    most = max((_at_once(p) for p in predictors), default=1)
    ahead = 2 + most
    items: Iterator[Item] = (Item(source, index) for index, source in enumerate(flattened))
    stages: list[Iterator[Any]] = [flattened, items]
    try:
        items = _chain(stages, overlap(guarded(_read), items, workers=threads, ahead=ahead, name="read"))
        find = _people_step(find, predictors)
        if find is not None:
            items = _chain(stages, map(guarded(find), items))
        for predictor in predictors:
            prepare, finish = guarded(predictor.prepare), guarded(_finisher(predictor, mask))
            items = _chain(stages, overlap(prepare, items, workers=threads, ahead=ahead, name="prepare"))
            items = _chain(stages, in_batches(items, predictor))
            # One more than a batch: the next pass starts while all of the last one are being finished.
            ahead_of_pass = 1 + _at_once(predictor)
            items = _chain(stages, overlap(finish, items, workers=threads, ahead=ahead_of_pass, name="finish"))
        if refine is not None:
            items = _chain(stages, map(guarded(refine), items))
        if write is not None:
            items = _chain(stages, overlap(guarded(write), items, workers=threads, ahead=threads + most, name="write"))
        if collect is not None:
            items = _chain(
                stages, overlap(guarded(collect, always=True), items, workers=1, ahead=threads + 1, name="collect")
            )
        yield from items
    finally:
        for stage in reversed(stages):
            close = getattr(stage, "close", None)
            if close is not None:
                close()


def default_threads() -> int:
    """Half of the cores this process may use: a GPU's results are finished and written by as many as that takes."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return min(16, max(2, usable // 2))


def _at_once(predictor: TaskRunner) -> int:
    """Network inputs that are under way at a time."""
    return predictor.batch_size * getattr(predictor, "workers", 1)


def _people_step(find: Step | None, predictors: Sequence[TaskRunner]) -> Step | None:
    """How people are found, and crops of them held, if any task wants to know."""
    cropping = next((p for p in predictors if p.detail == "people"), None)
    if cropping is not None:
        return CropFinder(find if find is not None else cropping.people_finder())
    return find if any(p.needs_people for p in predictors) else None


def _chain(stages: list[Iterator[Any]], stage: Iterator[Item]) -> Iterator[Item]:
    stages.append(stage)
    return stage


def _flattened(sources: Iterable[Source | Clip]) -> Iterator[Source]:
    """Pictures, and the frames of clips in their place; each knows which input it belongs to."""
    for entry, source in enumerate(sources):
        if isinstance(source, Source):
            yield source if source.entry is not None else dataclasses.replace(source, entry=entry)
        else:
            number = entry if source.entry is None else source.entry
            with closing(source.sources()) as frames:
                for frame in frames:
                    yield dataclasses.replace(frame, entry=number)


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
