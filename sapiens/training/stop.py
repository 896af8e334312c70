"""Ctrl-C and SIGTERM as requests: a run ends after the update it is in, with everything saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Request:
    """Whether this process was asked to stop: the signal's number, or 0."""

    signal: int = 0

    def __call__(self) -> bool:
        """Whether there was a request."""
        return self.signal > 0


@contextmanager
def stop_requests() -> Iterator[Request]:
    """Turn the first SIGINT or SIGTERM into a request; a second one acts as if nothing had to be saved.

    Only the main thread may catch signals: in another one no request ever comes.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def ask(number: int, _: FrameType | None) -> None:
        request.signal = number
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()


def ignore_signals(_: int) -> None:
    """For processes that load data: Ctrl-C reaches them too, but only the trainer decides when they end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
