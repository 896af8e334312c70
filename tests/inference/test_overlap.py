"""The one piece of threading: order, bounds, errors, early stops."""

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from sapiens.inference.overlap import ahead_of, overlap


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


def drawn(items, ahead: int = 3) -> Iterator:
    return ahead_of(items, ahead=ahead, name="test")


def test_ahead_of__same_items_in_order() -> None:
    assert list(drawn(iter(range(100)))) == list(range(100))
    assert threads() == []


def test_ahead_of__draws_in_one_other_thread_and_only_so_far() -> None:
    where = []

    def source() -> Iterator[int]:
        for n in range(50):
            where.append(threading.get_ident())
            yield n

    items = drawn(source())
    next(items)
    time.sleep(0.05)
    assert len(set(where)) == 1
    assert where[0] != threading.get_ident()
    assert len(where) <= 4
    items.close()
    assert threads() == []


def test_ahead_of__error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise OSError("the file is cut off")

    got = []
    with pytest.raises(OSError, match="cut off"):
        got.extend(drawn(source()))
    assert got == [0, 1, 2]
    assert threads() == []


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_ahead_of__closing_closes_the_source_also_while_it_is_drawn_from(pause: float) -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            for n in range(1000):
                time.sleep(pause)
                yield n
        finally:
            closed.set()

    items = drawn(source())
    next(items)
    items.close()
    assert closed.wait(3)
    assert threads() == []
