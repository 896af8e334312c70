"""What moves through the engine: a source that yields one picture, and the item that carries it from stage to stage."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sapiens.errors import SapiensError
from sapiens.imaging.frame import Frame
from sapiens.tasks.base import People, Prepared, Raw, Result, Setup, Task


@dataclass(frozen=True, eq=False)
class Source:
    """Something that yields one picture when asked.

    Attributes:
        id: what errors, results and manifests call it.
        read: decodes it; may raise a SapiensError.
        path: the file, if it is one.
        entry: which of the run's inputs it belongs to, where they are not one picture each.
        clip: the clip it is a frame of, if it is one.
        name: what its own files are called within the clip.
    """

    id: str
    read: Callable[[], Frame]
    path: Path | None = None
    entry: int | None = None
    clip: Clip | None = None
    name: str | None = None


class Clip(Protocol):
    """Frames that belong together; see `sapiens.inference.clips`."""

    @property
    def id(self) -> str: ...

    @property
    def entry(self) -> int | None: ...

    def sources(self) -> Generator[Source, None, None]:
        """Its frames in order; what could not be decoded comes last, as a source that fails."""


@dataclass(eq=False)
class Item:
    """One picture on its way through the stages.

    Attributes:
        source: where it comes from.
        index: position in the run.
        frame: the decoded picture; None before reading and after a failure to read.
        people: person boxes, once a top-down task asked for them.
        crops: where crops of people are cut, if a task wants them.
        prepared, raw: between the stages of the task at work; empty otherwise.
        collage: likewise, of a picture that is looked at in pieces.
        results: finished results by task name.
        notes: what the results have to say about themselves, e.g. "no person found".
        files: what was written for it.
        error: why it failed; set once, and every later stage passes the item through.
        drawn: what the outputs of whole clips still wait for, by their keys.
        seconds: from the start of reading to the end of the last stage.
    """

    source: Source
    index: int
    frame: Frame | None = None
    people: People | None = None
    crops: Any = None
    prepared: list[Prepared] = field(default_factory=list)
    raw: Raw = field(default_factory=dict)
    collage: Any = None
    results: dict[str, Result] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: list[Path] = field(default_factory=list)
    error: SapiensError | None = None
    drawn: dict[tuple[str, str], Any] = field(default_factory=dict)
    started: float = 0.0
    seconds: float = 0.0

    @property
    def entry(self) -> int:
        """Which of the run's inputs it belongs to."""
        return self.index if self.source.entry is None else self.source.entry

    def take(self) -> Frame:
        """The decoded picture; only for items without an error."""
        assert self.frame is not None, "read before use"
        return self.frame


Step = Callable[[Item], None]


class TaskRunner(Protocol):
    """A task at work, as the engine sees it; `Predictor` is one, and `Fleet`, which also has `workers`.

    Attributes:
        task, setup: what to do.
        batch_size: network inputs per pass.
        dtype_name: dtype the network runs in, for messages.
        needs_people: whether it must know where the people are.
        detail: how closely it looks; see `sapiens.inference.detail`.
    """

    task: Task
    setup: Setup
    batch_size: int

    @property
    def dtype_name(self) -> str: ...

    @property
    def needs_people(self) -> bool: ...

    @property
    def detail(self) -> str: ...

    def people_finder(self) -> Step:
        """A step that sets `people` on an item."""

    def prepare(self, item: Item) -> None:
        """Cut the network inputs from an item's picture."""

    def forward(self, prepared: Sequence[Prepared]) -> Raw:
        """Run the network on a batch of inputs."""

    def absorb(self, item: Item, prepared: Prepared, raw: Raw) -> None:
        """Take the raw outputs of one input of an item that has a collage."""

    def finish(self, item: Item) -> Result:
        """Turn an item's raw outputs into the task's result."""


MaskOf = Callable[[Item], npt.NDArray[np.bool_] | None]


def guarded(step: Step, *, always: bool = False) -> Callable[[Item], Item]:
    """Run a step on items; keep expected errors on the item, name the picture on others.

    Args:
        step: what to do.
        always: also with items that have failed, whose first error is kept.
    """

    def call(item: Item) -> Item:
        if item.error is None or always:
            try:
                step(item)
            except SapiensError as error:
                if disk_is_full(error):
                    raise  # every later picture would meet it too
                item.error = item.error or error
            except Exception as error:
                error.add_note(f"while working on {item.source.id}")
                raise
        item.seconds = time.perf_counter() - item.started if item.started else 0.0
        return item

    return call


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error comes from a disk without room, or from a quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False
