"""Evaluate a task: annotated pictures through the inference engine, their results into the task's metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy.typing as npt
from PIL import Image

from sapiens.errors import InputError, SapiensError
from sapiens.evaluation.baselines import trivial_meta
from sapiens.evaluation.extremes import Extremes
from sapiens.evaluation.processes import Processes, join
from sapiens.evaluation.records import Records, unlisted
from sapiens.evaluation.report import Failure, Report
from sapiens.imaging.sample import Sample
from sapiens.inference.engine import run
from sapiens.inference.item import Item
from sapiens.inference.predictor import Predictor
from sapiens.tasks.base import Result
from sapiens.tasks.learning import Metrics, get_learning
from sapiens.tasks.yardstick import Answer, get_yardstick


def evaluate(
    predictor: Predictor,
    samples: Sequence[Sample],
    *,
    data: str = "",
    trivial: Mapping[str, Answer] | None = None,
    limit: int | None = None,
    shown: int = 4,
    find_people: bool = False,
    advance: Callable[[], None] | None = None,
) -> Report:
    """Predict on annotated pictures and measure the results at the pictures' own sizes.

    Every process of a `torchrun` or `accelerate launch` takes a share of the records, each record exactly once; all of
    them return the same report, and its numbers are those of one process.

    Args:
        predictor: the network; its `compat` chooses how is counted, too.
        samples: by index; one that raises InputError, or lacks what the task needs, is reported and not counted.
        data: what to call them.
        trivial: answers to measure beside the network's, see `trivial_answers`.
        limit: take only the first so many records.
        shown: how many of the best and of the worst to draw.
        find_people: pose: look for people; otherwise their boxes are the annotation's, "boxes_xyxy" or "box_xyxy".
        advance: called after each record.

    Raises:
        InputError: no records.
    """
    started = time.perf_counter()
    task = predictor.task.name
    total = len(samples) if limit is None else min(limit, len(samples))
    if total < 1:
        raise InputError(f"{data or 'the data'}: no record to evaluate {task} on")
    processes = join()
    tally = _Tally(predictor, trivial or {}, shown)
    if processes.main:
        tally.failures += [(-1, problem.record, str(problem)) for problem in unlisted(samples)]
    records = Records(samples, processes.share(total))
    finder = None
    if predictor.task.top_down:
        boxes = None if find_people else (lambda item: records.boxes(item.index))
        finder = predictor.people_finder(boxes=boxes)
    with closing(run(records.sources(), [predictor], find=finder)) as items:
        for item in items:
            tally.add(item, records.take(item.index), records.indices[item.index])
            if advance is not None:
                advance()
    return tally.report(processes, data, _notes(predictor, find_people), started)


def _notes(predictor: Predictor, find_people: bool) -> tuple[str, ...]:
    if not predictor.task.top_down:
        return predictor.notes
    return (*predictor.notes, "boxes of people: " + ("a detector's" if find_people else "the annotation's"))


class _Tally:
    """The metrics of the network and of the trivial answers, best and worst, and failures."""

    def __init__(self, predictor: Predictor, trivial: Mapping[str, Answer], shown: int) -> None:
        learning = get_learning(predictor.task.name)
        make: Callable[..., Metrics] = learning.metrics
        self.predictor, self.answers, self.headline = predictor, trivial, learning.headline
        self.yardstick = get_yardstick(predictor.task.name)
        self.metrics = {name: make(compat=predictor.setup.compat) for name in ("", *trivial)}
        self.extremes = Extremes(shown, "high" if learning.headline[1] == "high" else "low")
        self.failures: list[tuple[int, str, str]] = []
        self.count = 0

    def add(self, item: Item, sample: Sample | None, index: int) -> None:
        """Count a finished record, or note why it cannot be counted."""
        name = sample.id if sample is not None else item.source.id
        try:
            if item.error is not None:
                raise item.error
            assert sample is not None
            result = item.results[self.predictor.task.name]
            score = self.metrics[""].update(result, sample)
        except SapiensError as error:
            self.failures.append((index, name, error.message))
            return
        self.count += 1
        for known, answer in self.answers.items():
            task = self.predictor.task.name
            self.metrics[known].update(answer(sample, trivial_meta(task, known, sample)), sample)
        self.extremes.add(index, name, score, lambda: self._draw(sample, result))

    def _draw(self, sample: Sample, result: Result) -> tuple[Image.Image, Image.Image, Image.Image]:
        truth = self.yardstick.truth(sample, trivial_meta(result.meta.task, "truth", sample))
        return (Image.fromarray(sample.image), *self.yardstick.draw(truth, result, sample.image))

    def report(self, processes: Processes, data: str, notes: tuple[str, ...], started: float) -> Report:
        """Exchange with the other processes, and sum up."""
        for rank, (arrays, words) in enumerate(processes.exchange(self._arrays(), self._words())):
            if rank != processes.rank:
                self._merge(arrays, words)
        numbers = {name: metrics.compute() for name, metrics in self.metrics.items()}
        best, worst = self.extremes.chosen()
        tables: Mapping[str, tuple[Sequence[str], Any]] = getattr(self.metrics[""], "tables", dict)()
        predictor = self.predictor
        return Report(
            task=predictor.task.name,
            data=data,
            model=predictor.name,
            weights=predictor.digest,
            dtype=predictor.dtype_name,
            compat=predictor.setup.compat,
            device=str(predictor.device),
            headline=(self.headline[0], "high" if self.headline[1] == "high" else "low"),
            count=self.count,
            metrics=numbers.pop(""),
            trivial=numbers,
            tables={name: (tuple(names), rows.tolist()) for name, (names, rows) in tables.items()},
            best=best,
            worst=worst,
            failures=tuple(Failure(name, message) for _, name, message in sorted(self.failures)),
            notes=notes,
            seconds=time.perf_counter() - started,
            processes=processes.count,
        )

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        states = {name: metrics.state() for name, metrics in self.metrics.items()}
        return {f"{name}|{key}": values for name, state in states.items() for key, values in state.items()}

    def _words(self) -> dict[str, Any]:
        return {"count": self.count, "failures": self.failures, "extremes": self.extremes.state()}

    def _merge(self, arrays: Mapping[str, npt.NDArray[Any]], words: Mapping[str, Any]) -> None:
        for name, metrics in self.metrics.items():
            start = f"{name}|"
            metrics.merge({k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)})
        self.count += words["count"]
        self.failures += [(index, name, message) for index, name, message in words["failures"]]
        self.extremes.merge(words["extremes"])
