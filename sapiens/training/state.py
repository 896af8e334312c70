"""All that a run has become, as full tensors by name, and back into a network and optimiser that may be sharded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sapiens.training.checkpoint import Checkpoint, Progress, Tensors, put, whole
from sapiens.training.muon import Muon


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Parameters that are trained, by name."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def gather(tensors: Tensors, *, keep: bool = True) -> Tensors:
    """Full copies on the CPU; all processes must call this.

    Args:
        tensors: any, sharded or not.
        keep: off on processes that do not need them: they take part one tensor at a time and return nothing.
    """
    full: Tensors = {}
    for name, tensor in tensors.items():
        value = whole(tensor)
        if keep:
            full[name] = value.to("cpu", copy=True)
    return full


def capture(
    model: nn.Module, optimiser: torch.optim.Optimizer, ema: Tensors, progress: Progress, *, keep: bool
) -> Checkpoint:
    """What goes into a checkpoint; all processes must call this, those without `keep` get an empty one."""
    moments = {
        f"{name}:{key}": value
        for name, parameter in trained(model)
        for key, value in optimiser.state.get(parameter, {}).items()
    }
    return Checkpoint(
        progress, gather(model.state_dict(), keep=keep), gather(moments, keep=keep), gather(ema, keep=keep)
    )


def restore(checkpoint: Checkpoint, model: nn.Module, optimiser: torch.optim.Optimizer, ema: Tensors) -> None:
    """Put a checkpoint's tensors where they were."""
    for name, tensor in model.state_dict().items():
        put(tensor, checkpoint.model[name])
    for name, tensor in ema.items():
        put(tensor, checkpoint.ema[name])
    stored: dict[str, Tensors] = {}
    for key, value in checkpoint.optimiser.items():
        name, _, kind = key.rpartition(":")
        stored.setdefault(name, {})[kind] = value
    for name, parameter in trained(model):
        if name in stored:
            moments = {kind: _moment(kind, value, parameter, optimiser) for kind, value in stored[name].items()}
            optimiser.state[parameter] = moments


def _moment(kind: str, value: Tensor, parameter: nn.Parameter, optimiser: torch.optim.Optimizer) -> Tensor:
    """Moments lie as their parameter does. Fused AdamW counts steps where it computes, Muon on the CPU."""
    if kind == "step":
        return value if isinstance(optimiser, Muon) else value.to(parameter.device)
    moment = torch.zeros_like(parameter)
    put(moment, value)
    return moment
