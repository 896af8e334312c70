"""What moves through the engine: a source that yields one picture, and the item that carries it from stage to stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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


class TaskRunner(Protocol):
    """A task at work, as the engine sees it; `Predictor` is one.

    Attributes:
        task, setup: what to do.
        batch_size: network inputs per pass.
        dtype_name: dtype the network runs in, for messages.
    """

    task: Task
    setup: Setup
    batch_size: int

    @property
    def dtype_name(self) -> str: ...

    def prepare(self, item: Item) -> None:
        """Cut the network inputs from an item's picture."""

    def forward(self, prepared: Sequence[Prepared]) -> Raw:
        """Run the network on a batch of inputs."""

    def finish(self, item: Item) -> Result:
        """Turn an item's raw outputs into the task's result."""


Step = Callable[[Item], None]
MaskOf = Callable[[Item], npt.NDArray[np.bool_] | None]


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
