"""How the tasks' tables of released training settings become recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sapiens.backbones.sizes import get_size
from sapiens.config import Optim, Recipe


@dataclass(frozen=True)
class Settings:
    """One row of the released settings; see `Recipe` and `Optim` for the meaning of each."""

    iterations: int
    lr: float
    layer_decay: float
    clip_norm: float
    parallel: Literal["ddp", "fsdp"]
    precision: Literal["float32", "bf16"]
    batch_size: int
    save_every: int = 1000
    validate_every: int = 1000


# Ours: small batches and this rate did best in a trial on procedural people; no layer decay, as nothing is pretrained.
NANO = Settings(40_000, 7e-4, 1.0, 2, "ddp", "float32", 8)

_NEIGHBOURS = {"0.1b": "0.4b", "0.4b": "1b", "0.8b": "1b", "1b-4k": "1b", "5b": "1b"}


def make_recipe(
    task: str, size: str, table: Mapping[str, Settings], *, nano: Mapping[str, Any] | None = None, **fields: Any
) -> Recipe:
    """The recipe of a size; a size without a row of its own takes its neighbour's.

    Args:
        task, size: what is trained.
        table: released rows by size.
        nano: fields that differ for nano.
        **fields: the task's own fields of the recipe.

    Raises:
        UnknownNameError: no such size.
    """
    spec = get_size(size)
    name = spec.name
    while name not in table and name != "nano":
        name = _NEIGHBOURS[name]
    row = NANO if name == "nano" else table[name]
    fields |= nano or {} if name == "nano" else {}
    return Recipe(
        task=task,
        size=spec.name,
        iterations=row.iterations,
        batch_size=row.batch_size,
        optim=Optim(lr=row.lr, layer_decay=row.layer_decay, clip_norm=row.clip_norm),
        input_hw=spec.input_hw,
        precision=row.precision,
        parallel=row.parallel,
        checkpointing=spec.name != "nano",
        save_every=row.save_every,
        validate_every=row.validate_every,
        **fields,
    )
