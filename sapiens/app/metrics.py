"""Counters in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What the server counts; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.time()
        self._answers: Counter[Labels] = Counter()
        self._accepted = self._answered = self._gone = 0
        # By task: how many within each bound, how many in all, and their sum.
        self._seconds: dict[str, list[float]] = {}
        self._batches: Counter[str] = Counter()
        self._batched: Counter[str] = Counter()

    def accept(self) -> None:
        """A request for a prediction got its place."""
        with self._lock:
            self._accepted += 1

    def answer(self, task: str, status: int, seconds: float) -> None:
        """An answer was sent, to an accepted request or to a refused one (`seconds` counts where it is 200)."""
        with self._lock:
            self._answers[("task", task), ("status", str(status))] += 1
            if status == 200:
                counts = self._seconds.setdefault(task, [0.0] * (len(_BOUNDS) + 2))
                for place, bound in enumerate(_BOUNDS):
                    counts[place] += seconds <= bound
                counts[-2] += 1
                counts[-1] += seconds

    def finish(self, *, gone: bool) -> None:
        """An accepted request is over: answered, or its client has gone."""
        with self._lock:
            self._answered += not gone
            self._gone += gone

    def observe_batch(self, task: str, size: int) -> None:
        """The network took this many requests together."""
        with self._lock:
            self._batches[task] += 1
            self._batched[task] += size

    @property
    def totals(self) -> tuple[int, int, int]:
        """Requests accepted, answered, and left by their clients."""
        return self._accepted, self._answered, self._gone

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Everything, with the values that others hold: name -> (help, value)."""
        with self._lock:
            lines = _family(
                "sapiens_answers_total", "counter", "Answers by task and HTTP status.", self._answers.items()
            )
            counts: tuple[tuple[str, str, float], ...] = (
                ("accepted", "Requests for predictions that got a place.", self._accepted),
                ("answered", "Accepted requests that were answered.", self._answered),
                ("client_gone", "Accepted requests whose client went away.", self._gone),
            )
            for name, text, value in counts:
                lines += _family(f"sapiens_{name}_total", "counter", text, [((), value)])
            batches = [((("task", task),), n) for task, n in self._batches.items()]
            batched = [((("task", task),), n) for task, n in self._batched.items()]
            lines += _family("sapiens_batches_total", "counter", "Passes of the network.", batches)
            lines += _family("sapiens_batched_requests_total", "counter", "Requests in these passes.", batched)
            lines += self._histogram()
        gauges = {"start_time_seconds": ("Unix time of the start.", self._started), **gauges}
        for name, (text, value) in gauges.items():
            lines += _family(f"sapiens_{name}", "gauge", text, [((), value)])
        return "\n".join([*lines, ""])

    def _histogram(self) -> list[str]:
        name = "sapiens_request_seconds"
        lines = [
            f"# HELP {name} From acceptance to the answer, of answers with status 200.",
            f"# TYPE {name} histogram",
        ]
        for task, values in self._seconds.items():
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), values, strict=False):
                lines.append(f'{name}_bucket{{task="{task}",le="{bound}"}} {count:g}')
            lines += [f'{name}_count{{task="{task}"}} {values[-2]:g}', f'{name}_sum{{task="{task}"}} {values[-1]!r}']
        return lines


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inner = ",".join(f'{label}="{told}"' for label, told in labels)
        lines.append(f"{name}{{{inner}}} {value!r}" if inner else f"{name} {value!r}")
    return lines
