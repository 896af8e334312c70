"""What a checkpoint looks like, told from its names and shapes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sapiens.backbones.sizes import SIZES
from sapiens.errors import WeightsError
from sapiens.weights.checkpoint import Checkpoint, open_checkpoint
from sapiens.weights.layouts import (
    Layout,
    Sources,
    detect_layout,
    joint_sources,
    joint_tasks,
    may_be_absent,
    original_sources,
    task_of_architecture,
    task_of_keys,
)

_OUTPUTS = {308: "pose", 29: "seg", 3: "normal", 4: "matting"}


@dataclass(frozen=True)
class Identity:
    """What a file is for.

    Attributes:
        path: the file.
        layout: how its tensors are named.
        task: "pretrain" for a backbone without a head.
        size: name of the size with this width; None: there is none.
        width: of the backbone.
        tokenizer: whether it has the window tokenizer of the 4K model.
        parameters: how many numbers are trained.
    """

    path: Path
    layout: Layout
    task: str
    size: str | None
    width: int
    tokenizer: bool
    parameters: int

    def __str__(self) -> str:
        name = "pretrain (a backbone without a head)" if self.task == "pretrain" else self.task
        size = f"at {self.size}" if self.size else f"of width {self.width}, which is no known size"
        return f"{name} {size}{' with the window tokenizer of the 4K model' if self.tokenizer else ''}"


def identify(path: str | Path) -> Identity:
    """Tell task, size and layout of a checkpoint, without reading its tensors.

    Raises:
        WeightsError: no such file, damaged, or not a Sapiens2 model.
    """
    checkpoint = open_checkpoint(Path(path))
    return identify_checkpoint(checkpoint, find_sources(checkpoint))


def find_sources(checkpoint: Checkpoint, task: str | None = None) -> Sources:
    """Name of each tensor in the original layout -> names of the tensors in the file that make it up.

    Args:
        checkpoint: the file.
        task: what is asked for, several with commas between; of a file of several tasks only the backbone and these
            heads are taken, if it has them.

    Raises:
        WeightsError: not a Sapiens2 model; the message names the file.
    """
    names = list(checkpoint)
    if any(name.endswith("layers.0.attn.qkv.weight") for name in names):
        raise WeightsError(f"{checkpoint.path}: a model of the first Sapiens generation; expected Sapiens2")
    try:
        if task and set(task.split(",")) <= set(joint_tasks(names)):
            return joint_sources(names, task)
        if detect_layout(names) == "original":
            return {name: (name,) for name in names}
        return original_sources(names, _transformers_task(checkpoint))
    except WeightsError as error:
        raise WeightsError(f"{checkpoint.path}: {error.message}", error.hint) from error


def identify_checkpoint(checkpoint: Checkpoint, sources: Sources) -> Identity:
    """See `identify`."""
    tensors = original_meta(checkpoint, sources)
    task = ",".join(joint_tasks(tensors)) or task_of_keys(tensors)
    prefix = "backbone." if "backbone.blocks.0.attn.wq.weight" in tensors else ""
    width = tensors[f"{prefix}blocks.0.attn.wq.weight"].shape[1]
    tokenizer = any(name.startswith(f"{prefix}tokenizer.") for name in tensors)
    sizes = [s.name for s in SIZES.values() if s.embed_dims == width and s.use_tokenizer == tokenizer]
    return Identity(
        path=checkpoint.path,
        layout=detect_layout(checkpoint),
        task=task or ("unknown task" if prefix else "pretrain"),
        size=sizes[0] if sizes else None,
        width=width,
        tokenizer=tokenizer,
        parameters=sum(tensor.numel() for name, tensor in tensors.items() if not may_be_absent(name)),
    )


def original_meta(checkpoint: Checkpoint, sources: Sources) -> dict[str, Tensor]:
    """Shapes and dtypes (tensors on the meta device) by original name."""
    return {
        name: checkpoint.meta[parts[0]] if len(parts) == 1 else torch.cat([checkpoint.meta[part] for part in parts])
        for name, parts in sources.items()
    }


def _transformers_task(checkpoint: Checkpoint) -> str | None:
    """The task of a checkpoint with transformers' names: from `config.json` beside it, else from its outputs.

    A wrong guess does no harm, as no two heads have the same names and shapes.
    """
    config = checkpoint.path.with_name("config.json")
    if config.is_file():
        try:
            architectures = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
        except (ValueError, AttributeError) as error:
            raise WeightsError(f"{config.name} beside it is damaged ({error})") from error
        if architectures:
            return task_of_architecture(architectures[0])
    last = checkpoint.meta.get("decode_head.predictor.weight")
    if last is None:
        return None
    return "pointmap" if any(name.startswith("scale_head.") for name in checkpoint) else _OUTPUTS.get(last.shape[0])


def check_fit(
    checkpoint: Checkpoint, sources: Sources, expected: Mapping[str, Tensor], *, task: str, size: str
) -> Identity:
    """Compare a file with a model's state dict, name by name and shape by shape.

    Raises:
        WeightsError: says what the file looks like and which names are missing, unexpected or of another shape.
    """
    identity = identify_checkpoint(checkpoint, sources)
    found = original_meta(checkpoint, sources)
    missing = [name for name in expected if name not in found and not may_be_absent(name)]
    unexpected = [name for name in found if name not in expected]
    reshaped = [
        f"{name} {tuple(found[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for kind, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if names
    ]
    if parts:
        same = (identity.task, identity.size) == (task, size)
        what = f"this is {identity}, but does not fit" if same else f"this is {identity}; expected {task} at {size}"
        raise WeightsError(f"{checkpoint.path}: {what}: {'; '.join(parts)}", _what_next(identity, task, size))
    return identity


def _what_next(identity: Identity, task: str, size: str) -> str:
    if (identity.task, identity.size) == (task, size):
        return "its head or its depth differs from the released one: build the model it was made for"
    there = f"use it as task {identity.task}, size {identity.size}" if identity.size else "use it with its own model"
    return f"{there}, or pass the file for {task} at {size}"
