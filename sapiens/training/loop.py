"""The training loop: batches in; log, checkpoints and a file for `sapiens.load` out.

RUN/recipe.json  log.jsonl  checkpoints/  best.safetensors  model.safetensors
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from sapiens.config import Recipe, to_dict
from sapiens.errors import InputError, NumericError
from sapiens.imaging.sample import Sample
from sapiens.imaging.write import write_bytes
from sapiens.inference.predictor import MEAN, STD
from sapiens.training.checkpoint import (
    Checkpoint,
    Progress,
    Tensors,
    full,
    list_checkpoints,
    put,
    read_checkpoint,
    save_checkpoint,
    save_tensors,
)
from sapiens.training.data import Batch, Examples, Order, make_loader
from sapiens.training.folder import Window, check_folder, trim_log
from sapiens.training.lesson import Lesson
from sapiens.training.optimiser import lr_factor, make_optimiser, set_lr
from sapiens.training.processes import distribute, make_accelerator
from sapiens.training.tune import merged

Validate = Callable[[Tensors], Mapping[str, float]]
"""Full float32 weights (low-rank additions merged) -> metrics; the same on every process."""
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
        validate: called every `recipe.validate_every` updates.
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
        report: Report | None = None,
        device: str | None = None,
        resume: bool = False,
    ) -> None:
        self.recipe, self.lesson, self.model, self.folder = recipe, lesson, model, folder
        self.examples, self.validate, self.report = Examples(samples, lesson, recipe), validate, report
        self.progress = Progress()
        check_folder(folder, recipe, resume=resume)
        self.accelerator = make_accelerator(device)
        self.network = distribute(model, recipe, self.accelerator)
        self.optimiser = make_optimiser(model.named_parameters(), recipe.optim, len(_blocks(model)))
        self.ema = {n: p.detach().clone() for n, p in _trained(model)} if recipe.ema else {}
        self._mean, self._std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (MEAN, STD))
        if resume and (found := list_checkpoints(folder)):
            self._restore(read_checkpoint(found[-1]))
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
            NumericError: NaN or Inf, as the recipe says; the checkpoints before it stay.
            InputError: a bad record where the recipe says stop, or a file that cannot be written.
        """
        recipe, world = self.recipe, self.accelerator.num_processes
        order = Order(
            recipe,
            len(self.examples.samples),
            seen=self.progress.seen,
            update=self.progress.update,
            rank=self.accelerator.process_index,
            world=world,
        )
        loader = make_loader(self.examples, order, self.device)
        batches, window, in_a_row = iter(loader), Window(), 0
        self.network.train()
        while self.progress.update < recipe.iterations:
            terms, finite, ids = self._update(next(batches) for _ in range(recipe.accumulate))
            in_a_row = 0 if finite else in_a_row + 1
            if not finite:
                self._not_finite(ids, in_a_row)
            self._advance(skipped=not finite)
            window.add(terms if finite else {})
            self._after(window)
        if not list_checkpoints(self.folder) or recipe.save_every == 0 or self.progress.update % recipe.save_every:
            self.save()
        return self._export("model.safetensors", self.weights())

    # One update.

    def _update(self, passes: Iterable[Batch]) -> tuple[dict[str, float], bool, list[str]]:
        """Gradients of all passes, then one step of the optimiser unless something is not finite."""
        recipe, total, ids = self.recipe, dict[str, Tensor](), list[str]()
        # Seeded per update, so that nothing random has to be stored to resume exactly.
        torch.manual_seed(hash((recipe.seed, self.progress.update, self.accelerator.process_index)) % 2**63)
        set_lr(self.optimiser, lr_factor(self.progress.update, recipe.optim, recipe.iterations))
        for number, batch in enumerate(passes):
            self._count_problems(batch)
            with self._syncing(last=number == recipe.accumulate - 1):
                terms = self.losses(batch.tensors)
                (terms["loss"] / recipe.accumulate).backward()  # type: ignore[no-untyped-call]
            ids += batch.ids
            for name, value in terms.items():
                part = value.detach().float() / recipe.accumulate
                total[name] = total[name] + part if name in total else part
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), recipe.optim.clip_norm or math.inf)
        total["grad_norm"] = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        means = self._mean_over_processes(total)
        finite = math.isfinite(means["loss"]) and math.isfinite(means["grad_norm"])
        if finite:
            self.optimiser.step()
            self._update_ema()
        self.optimiser.zero_grad(set_to_none=True)
        return means, finite, ids

    def losses(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named loss terms of a batch; losses are computed in float32 whatever the network runs in."""
        moved = {name: tensor.to(self.device, non_blocking=True) for name, tensor in tensors.items()}
        pixels = (moved["input"].float() - self._mean) / self._std
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            raw = self.lesson.forward(self.network, pixels)
        return self.lesson.loss({name: value.float() for name, value in raw.items()}, moved)

    @contextlib.contextmanager
    def _syncing(self, *, last: bool) -> Iterator[None]:
        """Processes exchange gradients in the last pass of an update only."""
        network = self.network
        if isinstance(network, FSDPModule):
            network.set_requires_gradient_sync(last)
        waits = isinstance(network, nn.parallel.DistributedDataParallel) and not last
        with self.accelerator.no_sync(network) if waits else contextlib.nullcontext():
            yield

    def _mean_over_processes(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        stacked = torch.stack([value.detach().float().reshape(()) for value in values.values()])
        if self.accelerator.num_processes > 1:
            stacked = self.accelerator.reduce(stacked, "mean")
        return dict(zip(values, stacked.tolist(), strict=True))

    @torch.no_grad()
    def _update_ema(self) -> None:
        for name, parameter in _trained(self.model) if self.ema else ():
            self.ema[name].lerp_(parameter.detach(), 1 - self.recipe.ema)

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
        update, recipe = self.progress.update, self.recipe
        if _due(update, recipe.log_every) or update == recipe.iterations:
            self._log({**window.means(), "lr": self.optimiser.param_groups[-1]["lr"], **window.pace(update, recipe)})
            window.clear()
        if self.validate is not None and (_due(update, recipe.validate_every) or update == recipe.iterations):
            self._validate(self.validate)
        if _due(update, recipe.save_every):
            self.save()

    def _validate(self, validate: Validate) -> None:
        weights = self.weights()
        metrics = dict(validate(weights))
        self.network.train()
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

    def _count_problems(self, batch: Batch) -> None:
        if batch.problems:
            count = self.progress.bad_records + len(batch.problems)
            self.progress = dataclasses.replace(self.progress, bad_records=count)
            self._log({"bad_records": count, "problems": list(batch.problems)})

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
        state = {name: full(self.ema.get(name, tensor)) for name, tensor in self.model.state_dict().items()}
        return merged(state)

    def save(self) -> None:
        """Write a checkpoint; all processes must call this."""
        optimiser = {
            f"{name}:{key}": full(value)
            for name, parameter in _trained(self.model)
            for key, value in self.optimiser.state.get(parameter, {}).items()
        }
        model = {name: full(tensor) for name, tensor in self.model.state_dict().items()}
        ema = {name: full(tensor) for name, tensor in self.ema.items()}
        if self.is_main:
            save_checkpoint(self.folder, Checkpoint(self.progress, model, optimiser, ema), keep=self.recipe.keep)
        self.accelerator.wait_for_everyone()

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.progress = checkpoint.progress
        for name, tensor in self.model.state_dict().items():
            put(tensor, checkpoint.model[name])
        for name, tensor in self.ema.items():
            put(tensor, checkpoint.ema[name])
        for name, parameter in _trained(self.model):
            names = [key for key in checkpoint.optimiser if key.rpartition(":")[0] == name]
            state = {}
            for key in names:
                kind, value = key.rpartition(":")[2], checkpoint.optimiser[key]
                # Fused AdamW counts its steps where it computes, Muon on the CPU.
                home = self.device if self.recipe.optim.kind == "adamw" else "cpu"
                state[kind] = value.to(home) if kind == "step" else torch.zeros_like(parameter)
                put(state[kind], value)
            if state:
                self.optimiser.state[parameter] = state

    def _export(self, name: str, weights: Tensors) -> Path:
        about = {"task": self.recipe.task, "size": self.recipe.size, "update": str(self.progress.update)}
        if self.is_main:
            save_tensors(self.folder / name, weights, about)
        self.accelerator.wait_for_everyone()
        return self.folder / name


def _blocks(model: nn.Module) -> Sequence[nn.Module]:
    blocks: Sequence[nn.Module] = list(model.backbone.blocks)  # type: ignore[arg-type,union-attr]
    return blocks


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _due(update: int, every: int) -> bool:
    return every > 0 and update % every == 0
