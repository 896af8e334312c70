"""Every model there is: counted parameters, counted work, memory, file and licence."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sapiens.backbones.counts import Work, count_parameters, measure_flops
from sapiens.backbones.sizes import SIZES, Size, build_backbone
from sapiens.errors import UnknownNameError
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import build_model
from sapiens.weights.files import file_name, repo_id

OURS, SAPIENS2 = "own weights", "Sapiens2 License"
PRETRAIN = "pretrain"


@dataclass(frozen=True)
class Model:
    """One model, counted on the meta device.

    Attributes:
        name: stem of its file, e.g. "sapiens2_0.4b_pose".
        task: a task's name, or "pretrain" for the bare backbone.
        size: e.g. "0.4b".
        parameters: exact number of parameters (buffers left out).
        published_params: the public model card's figure for the backbone, in 10^9, or None.
        work: multiply-adds of one picture at `input_hw`.
        published_flops: the public model card's figure for the backbone, in 10^12, or None.
        input_hw: network input (rows, columns).
        file: path below the checkpoint root.
        released: whether weights can be downloaded.
        licence: of the released weights.
    """

    name: str
    task: str
    size: str
    parameters: int
    published_params: float | None
    work: Work
    published_flops: float | None
    input_hw: tuple[int, int]
    file: str
    released: bool
    licence: str


def catalogue(task: str | None = None) -> list[Model]:
    """All models, or those of one task ("pretrain": the backbones).

    Raises:
        UnknownNameError: names the nearest task.
    """
    known = [PRETRAIN, *TASKS]
    if task is not None and task not in known:
        raise UnknownNameError("task", task, known)
    return [_model(name, size) for name in ([task] if task else known) for size in SIZES.values()]


def _model(task: str, size: Size) -> Model:
    with torch.device("meta"):
        module = build_backbone(size.name) if task == PRETRAIN else build_model(get_task(task), size.name)
    name = file_name(task, size.name)
    is_released = repo_id(task, size.name) is not None
    return Model(
        name=name.removesuffix(".safetensors"),
        task=task,
        size=size.name,
        parameters=count_parameters(module),
        published_params=size.published_params if task == PRETRAIN else None,
        work=measure_flops(module, size.input_hw),
        published_flops=size.published_flops if task == PRETRAIN else None,
        input_hw=size.input_hw,
        file=f"{task}/{name}",
        released=is_released,
        licence=SAPIENS2 if is_released else OURS,
    )
