"""Checkpoints of a run: folders that appear whole or not at all, and hold tensors and JSON, never pickles.

RUN/checkpoints/step_00001000/   model.safetensors  optimiser.safetensors  ema.safetensors  state.json
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from sapiens.errors import InputError, WeightsError
from sapiens.imaging.write import atomic_path

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        update: updates done.
        seen: pictures seen by all processes together.
        best: the best value of the chosen metric so far, with its update; None before the first validation.
        skipped: updates skipped because of NaN or Inf.
        bad_records: records passed over by this process.
    """

    update: int = 0
    seen: int = 0
    best: tuple[float, int] | None = None
    skipped: int = 0
    bad_records: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """What is needed to go on as if nothing had happened: full tensors on the CPU, and the progress."""

    progress: Progress
    model: Tensors
    optimiser: Tensors
    ema: Tensors = field(default_factory=dict)


def save_tensors(path: Path, tensors: Tensors, about: Mapping[str, str] | None = None) -> Path:
    """Write a .safetensors file whole or not at all.

    Raises:
        InputError: it cannot be written, e.g. the disk is full; what was there before stays.
    """
    apart = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(apart, temporary, metadata={"format": "pt", **(about or {})})
        except safetensors.SafetensorError as error:
            raise OSError(str(error)) from error
    return path


def save_checkpoint(run: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint and remove all but the last `keep`; returns its folder.

    Raises:
        InputError: it cannot be written; the earlier checkpoints stay, and the run can be resumed from them.
    """
    folder = run / "checkpoints" / f"step_{checkpoint.progress.update:08d}"
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _write(temporary, checkpoint)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except (OSError, InputError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = error.message if isinstance(error, InputError) else f"{folder}: {error.strerror or error}"
        hint = "free some space and resume the run; its earlier checkpoints are whole"
        raise InputError(f"checkpoint not written: {reason}", hint) from error
    for old in list_checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return folder


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    folder.mkdir(parents=True)
    for name in ("model", "optimiser", "ema"):
        if tensors := getattr(checkpoint, name):
            _to_disk(save_tensors(folder / f"{name}.safetensors", tensors))
    state = folder / "state.json"
    state.write_text(json.dumps(asdict(checkpoint.progress)), encoding="utf-8")
    _to_disk(state)


def _to_disk(path: Path) -> None:
    """Wait until a file is really written: a rename may reach the disk before the data it names."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def list_checkpoints(run: Path) -> list[Path]:
    """Folders of the whole checkpoints, oldest first."""
    return sorted((run / "checkpoints").glob("step_*"))


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        WeightsError: damaged.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        best = tuple(state.pop("best") or ()) or None
        tensors = {path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors"))}
        return Checkpoint(Progress(best=best, **state), **tensors)
    except (OSError, ValueError, TypeError, safetensors.SafetensorError) as error:
        hint = "remove this folder to resume from the one before"
        raise WeightsError(f"{folder}: not a whole checkpoint ({error})", hint) from error


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of one that may be sharded, detached, where it lies (all processes must call this)."""
    full: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach()


def put(target: Tensor, value: Tensor) -> None:
    """Copy a full tensor into one that may be sharded."""
    with torch.no_grad():
        if isinstance(target, DTensor):
            value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
        target.copy_(value)
