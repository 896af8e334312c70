"""AdamW with one group per pair of learning rate and weight decay, and the schedule of the learning rate.

Layer-wise decay after ELECTRA (https://arxiv.org/abs/2003.10555) and BEiT (https://arxiv.org/abs/2106.08254).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from sapiens.config import Optim
from sapiens.training.muon import Muon, suits

_BLOCK = re.compile(r"backbone\.(?:blocks|layers)\.(\d+)\.")
_FIRST = ("cls_token", "mask_token", "pos_embed", "storage_tokens", "patch_embed.", "tokenizer.")


def layer_of(name: str, num_layers: int) -> int:
    """0 for embeddings, tokens and tokenizer, i + 1 for block i, `num_layers` + 1 for the final norm and the head."""
    if found := _BLOCK.match(name):
        return int(found[1]) + 1
    if name.startswith("backbone.") and name.removeprefix("backbone.").startswith(_FIRST):
        return 0
    return num_layers + 1


def lr_multiplier(name: str, num_layers: int, rate: float) -> float:
    """Factor of a parameter's learning rate: rate ** (layers above it)."""
    return float(rate ** (num_layers + 1 - layer_of(name, num_layers)))


def weight_decay(name: str, dimensions: int, decay: float) -> float:
    """None for one-dimensional parameters, biases and position tables; class and storage tokens do have it."""
    return 0.0 if dimensions <= 1 or name.endswith(".bias") or "pos_embed" in name else decay


def parameter_groups(
    parameters: Iterable[tuple[str, nn.Parameter]], optim: Optim, num_layers: int
) -> list[dict[str, Any]]:
    """Groups for AdamW, in order of first appearance; frozen parameters are left out.

    Returns:
        dicts with "params", "lr", "base_lr" (what `set_lr` multiplies), "weight_decay" and "muon".
    """
    groups: dict[tuple[float, float, bool], dict[str, Any]] = {}
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        lr = optim.lr * lr_multiplier(name, num_layers, optim.layer_decay)
        decay = weight_decay(name, parameter.ndim, optim.weight_decay)
        muon = optim.kind == "muon" and suits(parameter)
        new = {"params": [], "lr": lr, "base_lr": lr, "weight_decay": decay, "muon": muon}
        group = groups.setdefault((lr, decay, muon), new)
        group["params"].append(parameter)
    return list(groups.values())


def make_optimiser(
    parameters: Iterable[tuple[str, nn.Parameter]], optim: Optim, num_layers: int
) -> torch.optim.Optimizer:
    """Fused AdamW over the groups, or Muon with AdamW for what is no matrix."""
    groups = parameter_groups(parameters, optim, num_layers)
    if optim.kind == "muon":
        return Muon(groups, optim.betas)
    return torch.optim.AdamW(groups, betas=optim.betas, fused=True)


def lr_factor(iteration: int, optim: Optim, iterations: int) -> float:
    """What the learning rates are multiplied by at an iteration (from 0)."""
    warm = min(optim.warmup_iters, iterations)
    if iteration < warm:
        return optim.warmup_start + (1 - optim.warmup_start) * iteration / warm
    if iteration >= iterations:
        return 0.0
    return float((1 - (iteration - warm) / (iterations - warm)) ** optim.power)


def set_lr(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate for the next update."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
