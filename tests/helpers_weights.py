"""Small models and files for tests of loading."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from sapiens.backbones.sizes import build_backbone, get_size
from sapiens.tasks.base import TaskModel
from sapiens.weights.header import make_header


def meta_model(task: str, size: str) -> nn.Module:
    """A model without data; "pretrain" is the bare backbone."""
    with torch.device("meta"):
        if task == "pretrain":
            return build_backbone(size)
        head = import_module(f"sapiens.tasks.{task}.head").build_head(size, get_size(size).embed_dims)
        return TaskModel(build_backbone(size, out_type="featmap"), head)


def random_state(task: str = "pose", size: str = "nano", seed: int = 0) -> dict[str, Tensor]:
    """A state dict as training leaves it: every number its own, the RoPE periods as they are."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in meta_model(task, size).state_dict().items():
        if name.endswith("periods"):
            with torch.device("cpu"):
                state[name] = build_backbone(size).rope_embed.periods
        else:
            state[name] = torch.randn(tensor.shape, generator=generator)
    return state


@cache
def _shapes(task: str, size: str) -> dict[str, Tensor]:
    return dict(meta_model(task, size).state_dict())


def write_hollow(path: Path, task: str, size: str) -> Path:
    """A file of full size and with the header of a released one, whose data takes no space on the disk."""
    state = _shapes(task, size)
    header = make_header(state)
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(len(header) + sum(t.numel() * t.dtype.itemsize for t in state.values()))
    return path
