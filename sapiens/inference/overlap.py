"""Ordered, bounded overlap of stages: the one piece of threading in inference.

A stage that only computes on the calling thread is a generator; a stage that may run beside it is an `overlap`. Chained
generators pull from one another, so memory is bounded by the sum of the `ahead` values, results keep their order, and
closing the last generator (an exception, a consumer that stops, Ctrl-C) closes every stage before it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


def overlap(
    function: Callable[[A], B], items: Iterable[A], *, workers: int, ahead: int, name: str
) -> Generator[B, None, None]:
    """Apply `function` in threads, up to `ahead` items before they are asked for; results in input order.

    Raises:
        whatever `function` or `items` raises, at the failing item's turn. Results before it are yielded first, work not
        yet started is cancelled, and no thread is left running. After an early `close` threads end with the item they
        hold; nobody waits for them.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=f"sapiens-{name}")
    pending: deque[Future[B]] = deque()
    failure: Exception | None = None
    exhausted, wait = False, True
    try:
        while True:
            while not exhausted and len(pending) < ahead:
                try:
                    pending.append(pool.submit(function, next(source)))
                except StopIteration:
                    exhausted = True
                except Exception as error:  # noqa: BLE001 - delivered below, after the results that came before it
                    failure, exhausted = error, True
            if not pending:
                break
            yield pending.popleft().result()
        if failure is not None:
            raise failure
    except GeneratorExit:
        # Perhaps the garbage collector, at any moment on any thread: joining threads there can deadlock.
        wait = False
        raise
    finally:
        # Threads finish the item they hold, nothing more: a stage's function is one picture's work, never a wait.
        pool.shutdown(wait=wait, cancel_futures=True)
        close = getattr(source, "close", None)
        if close is not None:
            close()


def ahead_of(items: Iterator[A], *, ahead: int, name: str) -> Generator[A, None, None]:
    """Draw up to `ahead` items before they are asked for, in a thread of their own: decoding, for instance.

    Raises:
        what `items` raises, after the items before it. `items` is closed when this ends or is closed, at once or, if
        it is being drawn from, by the thread that draws.
    """
    drawn = _Drawn(items)
    try:
        with closing(overlap(drawn, repeat(None), workers=1, ahead=ahead, name=name)) as found:
            for item in found:
                if item is _END:
                    return
                yield item
    finally:
        drawn.close()


_END: Any = object()


class _Drawn:
    """Draws from an iterator that another thread may want to close: generators refuse that while they run."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self, _: None) -> Any:
        with self._lock:
            item = _END if self._closed else next(self._items, _END)
        if self._closed:
            self.close()
        return item

    def close(self) -> None:
        """End the iterator; whoever holds it at this moment does it."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                close = getattr(self._items, "close", None)
                if close is not None:
                    close()
            finally:
                self._lock.release()
