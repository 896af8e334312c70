"""Rendering in processes of one thread each, which on CPUs beats one process of many threads."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import torch

from sapiens.synth.scene import SceneBatch, render


def stream_parallel(
    seed: int,
    batch_size: int,
    size_hw: tuple[int, int] = (256, 192),
    *,
    people: tuple[int, int] = (1, 1),
    first: int = 0,
    workers: int = 2,
) -> Iterator[SceneBatch]:
    """What `stream` gives on the CPU, rendered ahead by worker processes; close the iterator to end them.

    Guard the calling script with `if __name__ == "__main__"`: workers are started afresh (spawn).
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=torch.set_num_threads, initargs=(1,))
    waiting: deque[Future[SceneBatch]] = deque()
    try:
        while True:
            while len(waiting) < 2 * workers:
                waiting.append(pool.submit(render, seed, batch_size, size_hw, people=people, first=first))
                first += batch_size
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
