"""The training loop: batches in; log, checkpoints and a file for `sapiens.load` out.

RUN/recipe.json  log.jsonl  checkpoints/  best.safetensors  model.safetensors
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sapiens.config import Recipe, to_dict
from sapiens.errors import InputError, NumericError, StoppedError
from sapiens.imaging.sample import Sample
from sapiens.imaging.write import write_bytes
from sapiens.training.checkpoint import (
    Progress,
    Tensors,
    list_checkpoints,
    read_checkpoint,
    save_checkpoint,
    save_tensors,
)
from sapiens.training.data import Batch, Examples, Order, make_loader
from sapiens.training.folder import Window, check_folder, trim_log
from sapiens.training.learner import Learner
from sapiens.training.lesson import Lesson
from sapiens.training.processes import make_accelerator
from sapiens.training.state import capture, gather, restore
from sapiens.training.stop import Request, stop_requests
from sapiens.training.tune import merged

Validate = Callable[[Tensors], Mapping[str, float]]
"""Full float32 weights (low-rank additions merged) -> metrics; the same on every process."""
Draw = Callable[[Tensors, int], None]
"""Receives such weights and the number of updates, on the main process."""
Report = Callable[[dict[str, Any]], None]
"""Receives each log line, on the main process."""

SKIPS = 100
"""Skipped updates in a row that stop a run: it will not recover."""


class Trainer:
    """One run.

    Args:
        recipe: all settings.
        lesson: what is learnt, see `make_lesson`.
        model: on the CPU, see `make_model`.
        samples: the training data.
        folder: where everything is written.
        validate: called every `recipe.validate_every` updates and at the end.
        draw: called every `recipe.pictures_every` updates and at the end.
        report: called with every log line.
        device: "cpu" keeps off a GPU.
        resume: go on from the last checkpoint in `folder`.

    Raises:
        InputError: the folder holds a run and `resume` is off, or one with other settings.
    """

    def __init__(
        self,
        recipe: Recipe,
        lesson: Lesson,
        model: nn.Module,
        samples: Sequence[Sample],
        folder: Path,
        *,
        validate: Validate | None = None,
        draw: Draw | None = None,
        report: Report | None = None,
        device: str | None = None,
        resume: bool = False,
    ) -> None:
        self.recipe, self.lesson, self.model, self.folder = recipe, lesson, model, folder
        self.examples, self.validate, self.draw, self.report = Examples(samples, lesson, recipe), validate, draw, report
        self.progress, self._request, self._saved = Progress(), Request(), -1
        check_folder(folder, recipe, resume=resume)
        self.accelerator = make_accelerator(device)
        self.learner = Learner(recipe, lesson, model, self.accelerator)
        if resume and (found := list_checkpoints(folder)):
            checkpoint = read_checkpoint(found[-1])
            restore(checkpoint, model, self.learner.optimiser, self.learner.ema)
            self.progress, self._saved = checkpoint.progress, checkpoint.progress.update
        self.accelerator.wait_for_everyone()
        if self.is_main:
            write_bytes(folder / "recipe.json", json.dumps(to_dict(recipe), indent=2).encode())
            trim_log(folder / "log.jsonl", self.progress.update)

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return bool(self.accelerator.is_main_process)

    def run(self) -> Path:
        """Train to the last iteration; returns the exported `model.safetensors`.

        Raises:
            StoppedError: Ctrl-C or SIGTERM; a checkpoint of the last whole update is written.
            NumericError: NaN or Inf, as the recipe says; the checkpoints before it stay.
            InputError: a bad record where the recipe says stop, or a file that cannot be written.
        """
        recipe, window, in_a_row = self.recipe, Window(), 0
        self.learner.network.train()
        with stop_requests() as self._request, contextlib.closing(self._batches()) as batches:
            while self.progress.update < recipe.iterations:
                passes = (self._counted(next(batches)) for _ in range(recipe.accumulate))
                outcome = self.learner.update(passes, self.progress.update, asked=self._request)
                in_a_row = 0 if outcome.finite else in_a_row + 1
                if not outcome.finite:
                    self._not_finite(outcome.ids, in_a_row)
                self._advance(skipped=not outcome.finite)
                window.add(outcome.terms if outcome.finite else {})
                self._after(window)
                if outcome.asked and self.progress.update < recipe.iterations:
                    self._stop()
        if self._saved != self.progress.update:
            self.save()
        return self._export("model.safetensors", self.weights())

    def _batches(self) -> Generator[Batch]:
        """This process's batches, from where the run is."""
        done, where = self.progress, self.accelerator
        rank, world = where.process_index, where.num_processes
        count = len(self.examples.samples)
        order = Order(self.recipe, count, seen=done.seen, update=done.update, rank=rank, world=world)
        yield from make_loader(self.examples, order, self.device)

    def _stop(self) -> None:
        if self._saved != self.progress.update:
            self.save()
        raise StoppedError(
            f"{self.folder}: stopped after update {self.progress.update} of {self.recipe.iterations}; all is saved",
            "resume the run",
            signal=self._request.signal or signal.SIGTERM,
        )

    # Between updates.

    def _advance(self, *, skipped: bool) -> None:
        done, size = self.progress, self.recipe.batch_size * self.recipe.accumulate
        self.progress = dataclasses.replace(
            done,
            update=done.update + 1,
            seen=done.seen + size * self.accelerator.num_processes,
            skipped=done.skipped + skipped,
        )

    def _after(self, window: Window) -> None:
        update, recipe, last = self.progress.update, self.recipe, self.progress.update == self.recipe.iterations
        if _due(update, recipe.log_every) or last:
            self._log(
                {**window.means(), "lr": self.learner.optimiser.param_groups[-1]["lr"], **window.pace(update, recipe)}
            )
            window.clear()
        validate = self.validate if _due(update, recipe.validate_every) or last else None
        draw = self.draw if _due(update, recipe.pictures_every) or last else None
        if validate or draw:
            self._look(self.weights(), validate, draw)
            window.restart()
        if _due(update, recipe.save_every):
            self.save()
            window.restart()

    def _look(self, weights: Tensors, validate: Validate | None, draw: Draw | None) -> None:
        """Show the weights as they are to those who asked."""
        if validate:
            self._validate(weights, validate)
        if draw and self.is_main:
            draw(weights, self.progress.update)
        self.accelerator.wait_for_everyone()
        self.learner.network.train()

    def _validate(self, weights: Tensors, validate: Validate) -> None:
        metrics = dict(validate(weights))
        name = self.recipe.best or next(iter(metrics))
        if name not in metrics:
            raise InputError(f"best: validation gives no {name!r}, but {', '.join(metrics)}", "set best=NAME")
        self._log({f"val/{key}": value for key, value in metrics.items()})
        value, sign, best = metrics[name], 1 if self.recipe.best_is == "high" else -1, self.progress.best
        if math.isfinite(value) and (best is None or sign * value > sign * best[0]):
            self.progress = dataclasses.replace(self.progress, best=(value, self.progress.update))
            self._export("best.safetensors", weights)

    def _not_finite(self, ids: Sequence[str], in_a_row: int) -> None:
        if self.recipe.on_nan == "skip" and in_a_row < SKIPS:
            return
        kept = list_checkpoints(self.folder)
        what = f"{in_a_row} updates in a row" if in_a_row > 1 else "the loss or its gradient"
        raise NumericError(
            f"update {self.progress.update + 1}: NaN or Inf in {what}; pictures: {', '.join(ids[:8])}",
            f"the weights before it are in {kept[-1] if kept else 'no checkpoint yet'}; look at these pictures, lower "
            "optim.lr, or set on_nan=skip",
        )

    def _counted(self, batch: Batch) -> Batch:
        """The batch; records that it could not have are counted and logged."""
        if batch.problems:
            count = self.progress.bad_records + len(batch.problems)
            self.progress = dataclasses.replace(self.progress, bad_records=count)
            self._log({"bad_records": count, "problems": list(batch.problems)})
        return batch

    def _log(self, line: dict[str, Any]) -> None:
        if not self.is_main:
            return
        line = {"update": self.progress.update, "seen": self.progress.seen, **line}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.report is not None:
            self.report(line)

    # Weights in and out.

    def weights(self) -> Tensors:
        """Full weights on the CPU, the running mean where there is one, low-rank additions merged."""
        state = self.model.state_dict()
        return merged(gather({name: self.learner.ema.get(name, tensor) for name, tensor in state.items()}))

    def save(self) -> None:
        """Write a checkpoint; all processes must call this."""
        learner, main = self.learner, self.is_main
        checkpoint = capture(self.model, learner.optimiser, learner.ema, self.progress, keep=main)
        if self.is_main:
            save_checkpoint(self.folder, checkpoint, keep=self.recipe.keep)
        self._saved = self.progress.update
        self.accelerator.wait_for_everyone()

    def _export(self, name: str, weights: Tensors) -> Path:
        about = {"task": self.recipe.task, "size": self.recipe.size, "update": str(self.progress.update)}
        if self.is_main:
            save_tensors(self.folder / name, weights, about)
        self.accelerator.wait_for_everyone()
        return self.folder / name


def _due(update: int, every: int) -> bool:
    return every > 0 and update % every == 0
