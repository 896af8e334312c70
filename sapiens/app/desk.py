"""The queue between requests and the network: orders in, results out, together where they can share a pass."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing

from sapiens.app.limits import Limits
from sapiens.app.metrics import Metrics
from sapiens.app.order import Order
from sapiens.app.refusal import ClientGoneError, RefusedError
from sapiens.app.shelf import Key, Shelf
from sapiens.errors import SapiensError
from sapiens.imaging.frame import Frame
from sapiens.imaging.read import decode_image
from sapiens.inference.engine import run
from sapiens.inference.item import Item, MaskOf, Source
from sapiens.inference.masks import mask_from_task
from sapiens.tasks.base import Result


class Job:
    """An order on its way.

    Args:
        order: what is asked for.
        key: what it needs; jobs with equal keys may share a pass.
        deadline: by `time.monotonic`, when nobody waits for it any more.
    """

    def __init__(self, order: Order, key: Key, deadline: float) -> None:
        self.order, self.key, self.deadline = order, key, deadline
        self.future: Future[Result] = Future()
        self._gone = threading.Event()

    def drop(self) -> None:
        """Nobody waits for it; it is left out, or stopped before its picture is decoded."""
        self._gone.set()

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return not self._gone.is_set() and time.monotonic() < self.deadline

    def read(self, max_pixels: int) -> Frame:
        """Decode its picture."""
        if not self.wanted:
            raise ClientGoneError(f"{self.order.name}: nobody waits for it any more")
        return Frame(decode_image(self.order.image, self.order.name, max_pixels=max_pixels), self.order.name)

    def settle(self, outcome: Result | BaseException) -> None:
        """Hand over what came of it, once."""
        if self.future.done():
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Desk:
    """One thread that runs the networks, and the orders that wait for it.

    While the network works orders gather, and it takes all that fit together next: batches grow with the load and
    nobody waits for company.

    Args:
        shelf: where the networks are.
        limits: how many orders are taken together, and of what size.
        metrics: told of every pass.
    """

    def __init__(self, shelf: Shelf, limits: Limits, metrics: Metrics) -> None:
        self._shelf, self._limits, self._metrics = shelf, limits, metrics
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._seconds_each = 1.0
        self._thread = threading.Thread(target=self._work, name="sapiens-desk", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many orders wait."""
        return len(self._waiting)

    def put(self, job: Job) -> None:
        """Queue a job.

        Raises:
            RefusedError: the desk is closed.
        """
        with self._changed:
            if self._closed:
                raise RefusedError(503, "the server is shutting down")
            self._waiting.append(job)
            self._changed.notify()

    def retry_after(self, waiting: int) -> int:
        """Whole seconds after which there should be room again, from how long requests took lately."""
        return max(1, min(60, math.ceil(waiting * self._seconds_each / 2)))

    def close(self) -> None:
        """Take nothing new, finish what is queued, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next():
            start = time.monotonic()
            self._serve(jobs)
            each = (time.monotonic() - start) / len(jobs)
            self._seconds_each += 0.2 * (each - self._seconds_each)

    def _next(self) -> list[Job]:
        """The first job and those that can share its pass; none when the desk is closed and empty."""
        with self._changed:
            while True:
                for job in [job for job in self._waiting if not job.wanted]:
                    self._waiting.remove(job)
                    job.settle(ClientGoneError(f"{job.order.name}: nobody waits for it any more"))
                if self._waiting:
                    break
                if self._closed:
                    return []
                self._changed.wait()
            key = self._waiting[0].key
            jobs = [job for job in self._waiting if job.key == key][: self._limits.max_batch]
            for job in jobs:
                self._waiting.remove(job)
            return jobs

    def _serve(self, jobs: Sequence[Job]) -> None:
        try:
            self._predict(jobs)
        except SapiensError as error:
            for job in jobs:
                job.settle(error)
        except Exception as error:  # noqa: BLE001 - goes to whoever waits for it
            left = [job for job in jobs if not job.future.done()]
            if len(jobs) > 1:
                # One picture's fault must not be the others'.
                for job in left:
                    self._serve([job])
                return
            for job in left:
                job.settle(error)

    def _predict(self, jobs: Sequence[Job]) -> None:
        key, pixels = jobs[0].key, self._limits.max_pixels
        predictors = self._shelf.predictors(key)
        self._metrics.observe_batch(key.task, len(jobs))
        mask: MaskOf | None = mask_from_task(key.mask) if key.mask is not None else None
        find = predictors[-1].people_finder(
            boxes=lambda item: jobs[item.index].order.boxes, whole_image=key.whole_image
        )
        sources = [Source(job.order.name, lambda job=job: job.read(pixels)) for job in jobs]  # type: ignore[misc]
        with closing(run(sources, predictors, find=find, mask=mask)) as items:
            for item in items:
                jobs[item.index].settle(_outcome(item, key.task))


def _outcome(item: Item, task: str) -> Result | SapiensError:
    return item.error if item.error is not None else item.results[task]
