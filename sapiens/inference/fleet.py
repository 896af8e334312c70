"""One network on several devices: batches go to whichever is free, results come back in order."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any

from sapiens.errors import InputError
from sapiens.inference.item import Item
from sapiens.inference.people import PeopleFinder
from sapiens.inference.predictor import Predictor
from sapiens.tasks.base import Prepared, Raw, Result


class Fleet:
    """Copies of one predictor as a single task runner; the engine runs as many passes at once as there are copies.

    Args:
        predictors: the same network, each on its device; the first also prepares and finishes.

    Raises:
        InputError: none, or different networks.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        if not predictors:
            raise InputError("a fleet needs at least one predictor")
        first = predictors[0]
        wanted = (first.name, first.digest, first.dtype, first.setup, first.detail)
        if any((p.name, p.digest, p.dtype, p.setup, p.detail) != wanted for p in predictors):
            raise InputError("the predictors of a fleet must be the same network with the same settings")
        self.first = first
        self.task, self.setup, self.batch_size = first.task, first.setup, first.batch_size
        self.name, self.digest, self.detail = first.name, first.digest, first.detail
        self.workers = len(predictors)
        self._free: queue.SimpleQueue[Predictor] = queue.SimpleQueue()
        for predictor in predictors:
            self._free.put(predictor)

    @property
    def dtype_name(self) -> str:
        """Dtype of the weights, e.g. "float32"."""
        return self.first.dtype_name

    @property
    def needs_people(self) -> bool:
        """Whether it must know where the people are."""
        return self.first.needs_people

    def people_finder(self, *, boxes: Callable[[Item], Any] | None = None, whole_image: bool = False) -> PeopleFinder:
        """How people are found; see `Predictor.people_finder`."""
        return self.first.people_finder(boxes=boxes, whole_image=whole_image)

    def prepare(self, item: Item) -> None:
        """Cut the network inputs from an item's picture."""
        self.first.prepare(item)

    def forward(self, prepared: Sequence[Prepared]) -> Raw:
        """Run a batch on a free device; from as many threads as there are copies. Outputs are on the first's device."""
        predictor = self._free.get()
        try:
            raw = predictor.forward(prepared)
        finally:
            self._free.put(predictor)
        # The inputs of one picture may have been on several devices; its outputs must meet on one.
        return {name: tensor.to(self.first.device) for name, tensor in raw.items()}

    def absorb(self, item: Item, prepared: Prepared, raw: Raw) -> None:
        """Paste the raw outputs of one input; see `Predictor.absorb`."""
        self.first.absorb(item, prepared, raw)

    def finish(self, item: Item) -> Result:
        """Turn an item's raw outputs into the task's result."""
        return self.first.finish(item)


def device_names(text: str) -> list[str]:
    """Devices in "0,1" (CUDA's numbers) or "cuda:0,cpu".

    Raises:
        InputError: none is named.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise InputError(f"devices {text!r}: expected numbers of GPUs, as 0,1, or names of devices")
    return [f"cuda:{word}" if word.isdecimal() else word for word in words]
