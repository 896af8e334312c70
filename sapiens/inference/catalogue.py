"""Every model there is: counted parameters, counted work, memory, file and licence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from sapiens.backbones import Sapiens
from sapiens.backbones.counts import Work, count_parameters, measure_flops
from sapiens.backbones.sizes import SIZES, Size, build_backbone, get_size
from sapiens.errors import UnknownNameError
from sapiens.tasks import TASKS, get_task
from sapiens.weights.files import file_name, repo_id

OURS, SAPIENS2, SAPIENS1 = "own weights", "Sapiens2 License", "CC-BY-NC-4.0"
GENERATION_1 = ("0.3b", "0.6b", "1b", "2b")
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
    models = [_model(name, size) for name in ([task] if task else known) for size in SIZES.values()]
    return models if task not in (None, PRETRAIN) else [*models, *(_first_generation(size) for size in GENERATION_1)]


def _first_generation(size: str) -> Model:
    """Backbones of generation 1, at the 1024x1024 of their pretraining; released by their own project."""
    with torch.device("meta"):
        module = Sapiens(size, img_size=1024, out_type="raw")
    name = f"sapiens_{size}_{PRETRAIN}"
    return Model(
        name=name,
        task=PRETRAIN,
        size=size,
        parameters=count_parameters(module),
        published_params=None,
        work=measure_flops(module, (1024, 1024)),
        published_flops=None,
        input_hw=(1024, 1024),
        file=f"{PRETRAIN}/{name}.safetensors",
        released=False,
        licence=SAPIENS1,
    )


@cache
def _backbone(size: str) -> tuple[int, Work]:
    """Counted once per size, not once per task."""
    with torch.device("meta"):
        module = build_backbone(size)
    return count_parameters(module), measure_flops(module, get_size(size).input_hw)


def _model(task: str, size: Size) -> Model:
    parameters, work = _backbone(size.name)
    if task != PRETRAIN:
        with torch.device("meta"):
            head = get_task(task).build_head(size.name, size.embed_dims)
            grid_hw = build_backbone(size.name).patch_resolution
        parameters += count_parameters(head)
        work += measure_flops(head, grid_hw, in_channels=size.embed_dims)
    name = file_name(task, size.name)
    is_released = repo_id(task, size.name) is not None
    return Model(
        name=name.removesuffix(".safetensors"),
        task=task,
        size=size.name,
        parameters=parameters,
        published_params=size.published_params if task == PRETRAIN else None,
        work=work,
        published_flops=size.published_flops if task == PRETRAIN else None,
        input_hw=size.input_hw,
        file=f"{task}/{name}",
        released=is_released,
        licence=SAPIENS2 if is_released else OURS,
    )
