"""One update of the weights: gradients of all passes and processes, one step of the optimiser, the running mean."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from sapiens.config import Recipe
from sapiens.inference.predictor import MEAN, STD
from sapiens.training.data import Batch
from sapiens.training.lesson import Lesson
from sapiens.training.optimiser import lr_factor, make_optimiser, set_lr
from sapiens.training.processes import distribute
from sapiens.training.state import trained


@dataclass(frozen=True)
class Outcome:
    """What came of an update.

    Attributes:
        terms: losses and "grad_norm", averaged over passes and processes.
        ids: this process's pictures.
        asked: whether any process was asked to stop.
    """

    terms: dict[str, float]
    ids: tuple[str, ...]
    asked: bool

    @property
    def finite(self) -> bool:
        """Whether the weights were changed: they are not where the loss or its gradient is NaN or Inf."""
        return math.isfinite(self.terms["loss"]) and math.isfinite(self.terms["grad_norm"])


class Learner:
    """A network with its optimiser and the running mean of its weights.

    Args:
        recipe, lesson, model: as `Trainer`.
        accelerator: see `make_accelerator`.

    Attributes:
        network: what is called: the model itself, its copies or its shards.
        ema: running mean of each trained parameter, if the recipe wants it.
    """

    def __init__(self, recipe: Recipe, lesson: Lesson, model: nn.Module, accelerator: Any) -> None:
        self.recipe, self.lesson, self.model, self.accelerator = recipe, lesson, model, accelerator
        self.device: torch.device = accelerator.device
        self.network = distribute(model, recipe, accelerator)
        backbone: Any = model.backbone
        self.optimiser = make_optimiser(model.named_parameters(), recipe.optim, len(backbone.blocks))
        self.ema = {name: p.detach().clone() for name, p in trained(model)} if recipe.ema else {}
        self._mean, self._std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (MEAN, STD))

    def update(self, passes: Iterable[Batch], number: int, *, asked: Callable[[], bool] = lambda: False) -> Outcome:
        """Update number `number` (from 0); nothing changes if the loss or its gradient is not finite.

        Args:
            passes: `recipe.accumulate` batches.
            number: decides the learning rate and everything random.
            asked: whether this process was asked to stop; called when all else is done.
        """
        recipe, total, ids = self.recipe, dict[str, Tensor](), list[str]()
        # Seeded per update, so that nothing random has to be stored to resume exactly.
        torch.manual_seed(hash((recipe.seed, number, self.accelerator.process_index)) % 2**63)
        set_lr(self.optimiser, lr_factor(number, recipe.optim, recipe.iterations))
        for index, batch in enumerate(passes):
            for name, value in self._backward(batch, last=index == recipe.accumulate - 1).items():
                total[name] = total[name] + value if name in total else value
            ids += batch.ids
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), recipe.optim.clip_norm or math.inf)
        total["grad_norm"] = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        # Sent along with the terms, so that all processes stop after the same update.
        total["asked"] = torch.tensor(float(asked()), device=self.device)
        terms = self._mean_over_processes(total)
        outcome = Outcome(terms, tuple(ids), asked=terms.pop("asked") > 0)
        if outcome.finite:
            self.optimiser.step()
            self._update_ema()
        self.optimiser.zero_grad(set_to_none=True)
        return outcome

    def losses(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named loss terms of a batch; losses are computed in float32 whatever the network runs in."""
        moved = {name: tensor.to(self.device, non_blocking=True) for name, tensor in tensors.items()}
        pixels = (moved["input"].float() - self._mean) / self._std
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            raw = self.lesson.forward(self.network, pixels)
        return self.lesson.loss({name: value.float() for name, value in raw.items()}, moved)

    def _backward(self, batch: Batch, *, last: bool) -> dict[str, Tensor]:
        """Add a pass's gradients; returns its share of every term."""
        share = 1 / self.recipe.accumulate
        with self._syncing(last=last):
            terms = self.losses(batch.tensors)
            (terms["loss"] * share).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach().float() * share for name, value in terms.items()}

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
        for name, parameter in trained(self.model) if self.ema else ():
            self.ema[name].lerp_(parameter.detach(), 1 - self.recipe.ema)
