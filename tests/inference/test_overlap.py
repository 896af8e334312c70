"""The one piece of threading: order, bounds, errors, early stops."""

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from sapiens.inference.overlap import overlap


def threads() -> list[str]:
    """Our threads that do not end within five seconds."""
    ours = [t for t in threading.enumerate() if t.name.startswith("sapiens-test")]
    for thread in ours:
        thread.join(5)
    return [t.name for t in ours if t.is_alive()]


def run(function, items, workers: int = 3, ahead: int = 4) -> Iterator:
    return overlap(function, items, workers=workers, ahead=ahead, name="test")


def test_overlap__keeps_order_whatever_the_durations() -> None:
    assert list(run(lambda n: (time.sleep(0.01 * (n % 3)), n)[1], range(20))) == list(range(20))
    assert threads() == []


def test_overlap__reads_only_so_far_ahead() -> None:
    taken = []

    def source() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = run(lambda n: n, source(), ahead=5)
    next(results)
    assert len(taken) <= 6
    results.close()
    assert threads() == []


def test_overlap__error_in_function_comes_at_its_turn() -> None:
    results = run(lambda n: 1 // (3 - n), range(10))
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threads() == []


def test_overlap__error_in_source_comes_after_what_was_read() -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise OSError("the disk is gone")

    results = run(lambda n: n, source())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
    assert threads() == []


def test_overlap__consumer_that_stops_closes_the_source() -> None:
    closed = []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    for n in (results := run(lambda n: n, source())):
        if n == 2:
            break
    results.close()
    assert closed == [True]
    assert threads() == []


def test_overlap__abandoned_iterators_never_deadlock_the_collector() -> None:
    """They are collected at any moment, on any thread, also while a thread starts or stops."""
    for n in range(200):
        abandoned = run(lambda n: n, iter(range(50)))
        next(abandoned)
        holder = [abandoned]
        holder.append(holder)  # a cycle: only the garbage collector ends it
        del abandoned, holder
        if n % 20 == 0:
            gc.collect()
    gc.collect()
    assert threads() == []


def test_overlap__empty_source() -> None:
    assert list(run(lambda n: n, [])) == []
