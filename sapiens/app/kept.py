"""Results that the page asked to keep for a while, so that a download does not cost a second prediction."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections import OrderedDict

from sapiens.app.limits import Limits
from sapiens.app.order import Order
from sapiens.app.shelf import Key
from sapiens.tasks.base import Result


class Kept:
    """Results in memory by what was asked, the latest ones, for a bounded time and within a bounded size.

    Who asks must send the same picture again: no name or number gives away a result of somebody else.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._results: OrderedDict[bytes, tuple[float, int, Result]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._results)

    def put(self, order: Order, key: Key, result: Result) -> None:
        """Keep a result, and let older ones go that there is no room for."""
        size = sum(array.nbytes for array in result.arrays().values())
        size += result.image.nbytes if result.image is not None else 0
        with self._lock:
            self._results[_digest(order, key)] = time.monotonic(), size, result
            self._sweep()

    def get(self, order: Order, key: Key) -> Result | None:
        """The result of the same order, under the name it has now."""
        with self._lock:
            self._sweep()
            found = self._results.get(_digest(order, key))
        if found is None:
            return None
        result = found[2]
        return dataclasses.replace(result, meta=dataclasses.replace(result.meta, image_id=order.name))

    def sweep(self) -> None:
        """Let go what is too old."""
        with self._lock:
            self._sweep()

    def _sweep(self) -> None:
        oldest = time.monotonic() - self._limits.kept_s
        total = sum(size for _, size, _ in self._results.values())
        for digest, (since, size, _) in list(self._results.items()):
            if since >= oldest and total <= self._limits.kept_bytes:
                break
            del self._results[digest]
            total -= size


def _digest(order: Order, key: Key) -> bytes:
    told = hashlib.sha256(order.image)
    told.update(repr((key, None if order.boxes is None else order.boxes.tolist())).encode())
    return told.digest()
