"""The one engine: pictures in, results out, in order, with decoding, network and writing overlapped.

    sources -> read -> [people] -> prepare -> network -> finish -> [write]
               threads  caller     threads    caller     threads   threads

Library, command line, evaluation, app and batch jobs all call `run`. A picture that fails carries its error to the end
and stops nobody; anything unexpected ends the run at once and names the picture it happened on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sapiens.errors import SapiensError
from sapiens.imaging.frame import Frame
from sapiens.inference.batching import in_batches
from sapiens.inference.overlap import overlap
from sapiens.tasks.base import MaskedResult, People, Prepared, Raw, Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sapiens.inference.people import PeopleFinder
    from sapiens.inference.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Source:
    """Something that yields one picture when asked.

    Attributes:
        id: what errors, results and manifests call it.
        read: decodes it; may raise a SapiensError.
        path: the file, if it is one.
    """

    id: str
    read: Callable[[], Frame]
    path: Path | None = None


@dataclass(eq=False)
class Item:
    """One picture on its way through the stages.

    Attributes:
        source: where it comes from.
        index: position in the run.
        frame: the decoded picture; None before reading and after a failure to read.
        people: person boxes, once a top-down task asked for them.
        prepared, raw: between the stages of the task at work; empty otherwise.
        results: finished results by task name.
        notes: what the results have to say about themselves, e.g. "no person found".
        files: what was written for it.
        error: why it failed; set once, and every later stage passes the item through.
        seconds: from the start of reading to the end of the last stage.
    """

    source: Source
    index: int
    frame: Frame | None = None
    people: People | None = None
    prepared: list[Prepared] = field(default_factory=list)
    raw: Raw = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: list[Path] = field(default_factory=list)
    error: SapiensError | None = None
    started: float = 0.0
    seconds: float = 0.0

    def take(self) -> Frame:
        """The decoded picture; only for items without an error."""
        assert self.frame is not None, "read before use"
        return self.frame


Step = Callable[[Item], None]
MaskOf = Callable[[Item], "npt.NDArray[np.bool_] | None"]


def guarded(step: Step) -> Callable[[Item], Item]:
    """Run a step on items that have not failed; keep expected errors on the item, name the picture on others."""

    def call(item: Item) -> Item:
        if item.error is None:
            try:
                step(item)
            except SapiensError as error:
                item.error = error
            except Exception as error:
                error.add_note(f"while working on {item.source.id}")
                raise
        item.seconds = time.perf_counter() - item.started if item.started else 0.0
        return item

    return call


def run(
    sources: Iterable[Source],
    predictors: Sequence[Predictor],
    *,
    finder: PeopleFinder | None = None,
    mask: MaskOf | None = None,
    write: Step | None = None,
    workers: int = 2,
) -> Generator[Item, None, None]:
    """Move pictures through one or several tasks.

    Args:
        sources: what to read; consumed lazily.
        predictors: the tasks, sharing decoding and person boxes.
        finder: finds people for the top-down tasks; needed if one is among the predictors.
        mask: foreground mask (H, W) of an item, for the tasks that can use one; may look at its earlier results.
        write: called with each finished item, in threads.
        workers: threads per stage.

    Yields:
        items in input order, each finished or with its error. Close it (`contextlib.closing`) if it may be left early.
    """
    ahead = 2 + max((p.batch_size for p in predictors), default=1)
    items: Iterator[Item] = (Item(source, index) for index, source in enumerate(sources))
    stages = [items]
    try:
        items = _chain(stages, overlap(guarded(_read), items, workers=workers, ahead=ahead, name="read"))
        if finder is not None and any(p.task.top_down for p in predictors):
            items = _chain(stages, finder.stage(items))
        for predictor in predictors:
            prepare, finish = guarded(predictor.prepare), guarded(_finisher(predictor, mask))
            items = _chain(stages, overlap(prepare, items, workers=workers, ahead=ahead, name="prepare"))
            items = _chain(stages, in_batches(items, predictor))
            items = _chain(stages, overlap(finish, items, workers=workers, ahead=workers, name="finish"))
        if write is not None:
            items = _chain(stages, overlap(guarded(write), items, workers=workers, ahead=workers + 1, name="write"))
        yield from items
    finally:
        for stage in reversed(stages):
            close = getattr(stage, "close", None)
            if close is not None:
                close()


def _chain(stages: list[Iterator[Item]], stage: Iterator[Item]) -> Iterator[Item]:
    stages.append(stage)
    return stage


def _finisher(predictor: Predictor, mask: MaskOf | None) -> Step:
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
