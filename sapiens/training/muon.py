"""Muon for matrices, AdamW for the rest, as one optimiser.

Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; the factor that makes its steps as large as
AdamW's, so that both share one learning rate and weight decay: Liu et al. 2025, https://arxiv.org/abs/2502.16982.

torch.optim has Muon from version 2.9 on, but iterates in bfloat16 only, which CPUs without such instructions emulate at
a hundredth of the speed, and for two-dimensional parameters alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MOMENTUM = 0.95
RMS = 0.2
"""Root mean square of AdamW's steps, in learning rates, as measured by Liu et al."""
NARROWEST = 24
"""Matrices thinner than this (embeddings of a picture's channels, last layers) are AdamW's."""


def suits(parameter: Tensor) -> bool:
    """Whether Muon trains a parameter: a matrix, or a kernel that is one when flattened, that is not too thin."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) >= NARROWEST


def orthogonalised(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are about 1: five Newton-Schulz iterations.

    Args:
        matrix: (m, n); computed in bfloat16 on a GPU, else in float32.
    """
    a, b, c = COEFFICIENTS
    x = matrix.to(torch.bfloat16 if matrix.is_cuda else torch.float32)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Groups with "muon": True are trained by Muon, the others by AdamW.

    Args:
        groups: dicts with "params", "lr", "weight_decay" and "muon".
        betas: of AdamW.
    """

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float]) -> None:
        super().__init__(groups, {"betas": betas, "eps": 1e-8, "muon": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of all parameters that have a gradient."""
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            if group["muon"]:
                for parameter in with_gradient:
                    self._muon(parameter, group)
            elif with_gradient:
                self._adamw(with_gradient, group)

    def _muon(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(gradient, 1 - MOMENTUM)
        direction = gradient.lerp(momentum, MOMENTUM).flatten(1)
        size = RMS * math.sqrt(max(direction.shape))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalised(direction).view_as(parameter), alpha=-group["lr"] * size)

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter] = {
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                    "step": torch.zeros(()),
                }
        states = [self.state[p] for p in parameters]
        adamw(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            [s["exp_avg"] for s in states],
            [s["exp_avg_sq"] for s in states],
            [],
            [s["step"] for s in states],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
