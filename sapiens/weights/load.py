"""Fill a model from a checkpoint: strictly, without random initialisation and without a second copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sapiens.weights.checkpoint import Checkpoint, open_checkpoint
from sapiens.weights.filling import periods
from sapiens.weights.identity import check_fit, find_sources
from sapiens.weights.layouts import Layout
from sapiens.weights.placing import assign, goal_dtype, place


@dataclass(frozen=True)
class LoadedInfo:
    """Where a model's weights come from.

    Attributes:
        digest: fingerprint, see `Checkpoint.digest`.
        path: the file.
        layout: how its tensors are named.
        bytes: its size.
    """

    digest: str
    path: Path
    layout: Layout
    bytes: int


def load_model(
    model: nn.Module,
    path: str | Path,
    *,
    task: str,
    size: str,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    copy: bool = False,
) -> LoadedInfo:
    """Fill a model that was built on the meta device.

    What needs no conversion is not copied on the CPU: parameters lie in the mapped file, which loads in no time, is
    read once however many processes use it, and may leave memory when that is short. Writing to such a parameter
    changes memory only, never the file. Replacing or deleting the file is safe; overwriting it in place (as `cp` or
    `torch.save` onto the same path do) is not: that changes or breaks a model in use. Pass `copy=True` for a file that
    may be overwritten.

    For another dtype or device tensors are converted one at a time; the host then never holds more than the converted
    weights and one tensor.

    Args:
        model: a task model, or the bare backbone (task "pretrain"), with its tensors on the meta device.
        path: .safetensors, .pth, .pt or .bin, in the original or the transformers layout.
        task, size: what the model is, for messages.
        dtype: of the weights; with float32 the RoPE periods keep the dtype they have in the model.
        device: where the weights go.
        copy: read into memory of its own instead of mapping.

    Raises:
        WeightsError: no such file, damaged, holds code, or does not fit; names the tensors that do not.
    """
    checkpoint = open_checkpoint(Path(path))
    sources, expected = find_sources(checkpoint, task), model.state_dict()
    identity = check_fit(checkpoint, sources, expected, task=task, size=size)
    digest, device = checkpoint.digest(), torch.device(device)
    state = {}
    for name, parts in sources.items():
        native = expected[name].dtype
        state[name] = _read(checkpoint, parts, native, goal_dtype(native, dtype), device, copy)
    for name in expected.keys() - state.keys():
        native = expected[name].dtype
        state[name] = place(periods(model, name), native, goal_dtype(native, dtype), device)
    assign(model, state)
    return LoadedInfo(digest, checkpoint.path, identity.layout, checkpoint.path.stat().st_size)


def _read(
    checkpoint: Checkpoint,
    parts: tuple[str, ...],
    native: torch.dtype,
    goal: torch.dtype,
    device: torch.device,
    copy: bool,
) -> Tensor:
    stored = checkpoint.meta[parts[0]].dtype
    if len(parts) == 1 and stored == native == goal and device.type == "cpu" and not copy:
        return checkpoint.read(parts[0], stays=True)
    tensors = [checkpoint.read(part, stays=False) for part in parts]
    if len(tensors) > 1:
        return place(torch.cat(tensors), native, goal, device)
    return place(tensors[0], native, goal, device, copy=True)
