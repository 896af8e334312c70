"""Procedural people: pictures a second, one thread, one process per core, and the GPU when there is one."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import torch

from sapiens.bench.table import report
from sapiens.synth import render
from sapiens.synth.workers import stream_parallel

SIZE_HW = (256, 192)
BATCH = 16
PEOPLE = {"one person": (1, 1), "one to four": (1, 4)}


def run(repeats: int = 5) -> dict[str, Any]:
    """Time batches of 16 pictures of 256x192 with all truth, after one warm-up.

    Returns:
        a report; rates are medians over `repeats` batches.
    """
    rows = [row for name, people in PEOPLE.items() for row in _ways(name, people, repeats)]
    return report(f"render people at {SIZE_HW[0]}x{SIZE_HW[1]}, all truth, median of {repeats}", rows)


def _ways(name: str, people: tuple[int, int], repeats: int) -> list[dict[str, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        single = _rate(people, repeats, "cpu", BATCH)
    finally:
        torch.set_num_threads(threads)
    cores = os.cpu_count() or 1
    rows = [
        ("one process, one thread", single),
        (f"{cores} processes, one thread each", _parallel(people, repeats, cores)),
    ]
    if torch.cuda.is_available():
        rows.append(("GPU, batches of 128", _rate(people, repeats, "cuda", 128)))
    return [{"people": name, "way": way, "pictures a second": round(rate, 1)} for way, rate in rows]


def _rate(people: tuple[int, int], repeats: int, device: str, batch: int) -> float:
    seconds = []
    for k in range(repeats + 1):
        start = time.perf_counter()
        render(1, batch, SIZE_HW, people=people, first=k * batch, device=device)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return batch / statistics.median(seconds[1:])


def _parallel(people: tuple[int, int], repeats: int, workers: int) -> float:
    batches = stream_parallel(1, BATCH, SIZE_HW, people=people, workers=workers)
    for _ in range(2 * workers):
        next(batches)
    start = time.perf_counter()
    count = max(2 * workers, repeats * workers)
    for _ in range(count):
        next(batches)
    seconds = time.perf_counter() - start
    batches.close()  # type: ignore[attr-defined]
    return count * BATCH / seconds
