"""Which weights are trained: all, the head, the last blocks, or low-rank additions (LoRA) to frozen ones.

LoRA: Hu et al. 2021, https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.training.muon import suits


class LowRank(nn.Linear):
    """A frozen linear layer plus a trained product of two thin matrices, W + B A; B starts at zero.

    Names of the frozen weights stay, so a checkpoint of the plain layer fits once `merged` has removed the additions.
    """

    def __init__(self, plain: nn.Linear, rank: int) -> None:
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.lora_a = nn.Parameter(torch.empty(rank, plain.in_features, device=plain.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(plain.out_features, rank, device=plain.weight.device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`."""
        return super().forward(x) + F.linear(F.linear(x, self.lora_a), self.lora_b)


def choose_trained(model: Any, tune: str) -> None:
    """Freeze what a recipe's `tune` leaves out, and add low-rank layers where it asks for them; in place.

    Raises:
        InputError: not "all", "head", "blocks:N" or "lora:R".
    """
    kind, _, number = tune.partition(":")
    count = int(number) if number.isdecimal() else 0
    backbone: Any = model.backbone
    if tune == "all":
        return
    if tune != "head" and not (kind in ("blocks", "lora") and count > 0):
        raise InputError(f"tune: expected all, head, blocks:N or lora:R, got {tune!r}", "e.g. tune=lora:8")
    if kind == "blocks" and count > len(backbone.blocks):
        raise InputError(f"tune: {tune!r}, but the backbone has {len(backbone.blocks)} blocks", "tune=all")
    backbone.requires_grad_(False)
    if kind == "blocks":
        for part in [*backbone.blocks[-count:], backbone.ln1]:
            part.requires_grad_(True)
    if kind == "lora":
        for block in backbone.blocks:
            for name in ("wq", "wk", "wv", "proj"):
                setattr(block.attn, name, LowRank(getattr(block.attn, name), count))


def merged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without low-rank additions: each is multiplied out and added to its weight."""
    plain = {name: tensor for name, tensor in state.items() if not name.endswith((".lora_a", ".lora_b"))}
    for name in [name for name in state if name.endswith(".lora_a")]:
        stem = name.removesuffix("lora_a")
        plain[f"{stem}weight"] = plain[f"{stem}weight"] + state[f"{stem}lora_b"] @ state[name]
    return plain


@dataclass(frozen=True)
class Budget:
    """What training keeps in memory besides activations.

    Attributes:
        total, trained: number of parameters.
        weights_mb, gradients_mb, optimiser_mb, mean_mb: in 10^6 bytes, of one copy; "fsdp" divides it by the number of
            processes. The mean is that of the weights (`ema`).
    """

    total: int
    trained: int
    weights_mb: float
    gradients_mb: float
    optimiser_mb: float
    mean_mb: float = 0.0

    @property
    def sum_mb(self) -> float:
        """All together."""
        return self.weights_mb + self.gradients_mb + self.optimiser_mb + self.mean_mb

    def __str__(self) -> str:
        share = 100 * self.trained / self.total
        mean = f", running mean {self.mean_mb:,.0f}" if self.mean_mb else ""
        return (
            f"{self.trained:,} of {self.total:,} parameters trained ({share:.3g} %): {self.sum_mb:,.0f} MB (weights "
            f"{self.weights_mb:,.0f}, gradients {self.gradients_mb:,.0f}, optimiser {self.optimiser_mb:,.0f}{mean}), "
            "and the activations"
        )


def budget(model: nn.Module, recipe: Recipe | None = None) -> Budget:
    """Count parameters and the bytes that training needs for them.

    Args:
        model: after `choose_trained`.
        recipe: its optimiser and running mean; default AdamW without a mean.
    """
    every = list(model.parameters())
    moving = [p for p in every if p.requires_grad]
    muon = recipe is not None and recipe.optim.kind == "muon"
    # AdamW keeps two moments of a parameter, Muon one.
    moments = [p for p in moving if not (muon and suits(p))]
    trained = _mb(moving)
    mean = trained if recipe is not None and recipe.ema else 0.0
    return Budget(
        sum(p.numel() for p in every),
        sum(p.numel() for p in moving),
        _mb(every),
        trained,
        trained + _mb(moments),
        mean,
    )


def _mb(parameters: Iterable[Tensor]) -> float:
    return sum(p.numel() * p.element_size() for p in parameters) / 1e6
