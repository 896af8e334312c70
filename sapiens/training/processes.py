"""One process or many: copies of the network (DDP) or shards of it (FSDP2), through Accelerate."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sapiens.config import Recipe
from sapiens.errors import require
from sapiens.tasks.base import JointModel


def make_accelerator(device: str | None = None) -> Any:
    """Join the other processes, if this one was started with some (`accelerate launch`, `torchrun`).

    Raises:
        MissingDependencyError: accelerate is not installed.
    """
    return require("accelerate", "train").Accelerator(cpu=device == "cpu")


def shard(model: nn.Module, recipe: Recipe, device: torch.device) -> nn.Module:
    """Shard a network in place over all processes, every block on its own, so that only one is ever whole.

    With precision "bf16" blocks are gathered in bfloat16, and gradients summed in float32.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    numbers = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
    # Inputs stay as they are: autocast chooses what is computed in bfloat16, and the rotary tables, bfloat16 even in
    # float32 networks, must not be widened, or sharded runs would compute another network than one process.
    policy = MixedPrecisionPolicy(param_dtype=numbers, reduce_dtype=torch.float32, cast_forward_inputs=False)
    backbone: Any = model.backbone
    for block in backbone.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    return model


def distribute(model: nn.Module, recipe: Recipe, accelerator: Any) -> nn.Module:
    """Move a network to this process's device and connect it with the others'; returns what to call."""
    model.to(accelerator.device)
    if recipe.compile:
        backbone: Any = model.backbone
        heads: Any = model.decode_heads.values() if isinstance(model, JointModel) else [model.decode_head]
        for part in (*backbone.blocks, *heads):
            part.compile()
    if accelerator.num_processes == 1:
        return model
    if recipe.parallel == "fsdp":
        return shard(model, recipe, accelerator.device)
    return nn.parallel.DistributedDataParallel(
        model, device_ids=[accelerator.device] if accelerator.device.type == "cuda" else None
    )
