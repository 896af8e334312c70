"""What a run is started with: its recipe, resolved, and where its data and first weights come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sapiens._version import __version__
from sapiens.backbones.sizes import get_size
from sapiens.config import Recipe, apply, parse_settings, read_settings
from sapiens.errors import InputError
from sapiens.imaging.write import write_bytes
from sapiens.training.model import Start
from sapiens.training.recipes import get_recipe


@dataclass(frozen=True)
class Origin:
    """RUN/run.json: all that a run needs besides its recipe, so that it can be resumed by its folder alone.

    Attributes:
        data, val: specs of the data; "" for no validation.
        records, val_records: how many they hold.
        start, weights: what the network starts from; "" for the usual places.
        version: of this package.
    """

    data: str
    val: str
    records: int
    val_records: int
    start: Start
    weights: str
    version: str = __version__

    def write(self, folder: Path) -> None:
        """Store it in a run's folder."""
        write_bytes(folder / "run.json", json.dumps(asdict(self), indent=2).encode())


def read_origin(folder: Path) -> Origin:
    """What a run was started with.

    Raises:
        InputError: there is no run in this folder that `sapiens train` started.
    """
    return Origin(**_read(folder / "run.json"))


def read_recipe(folder: Path) -> Recipe:
    """The stored recipe of a run.

    Raises:
        InputError: there is no run in this folder.
    """
    stored = _read(folder / "recipe.json")
    return apply(get_recipe(stored["task"], stored["size"]), stored)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"{path.parent}: holds no run to resume (no {path.name})", "start one without --resume")
    return read_settings(path)


def resolve(tasks: str, size: str, *, file: Path | None = None, settings: Sequence[str] = ()) -> Recipe:
    """The released settings of a task and size, then a file's, then single ones.

    Args:
        tasks: a task, or several with commas between.
        size: see `sapiens.backbones.sizes`.
        file: .toml or .json; a stored recipe.json is one.
        settings: "a.b=value".

    Raises:
        UnknownNameError: no such task, size or field; names the nearest.
        InputError: a value that does not fit its field, or settings of another task or size.
    """
    first = get_recipe(tasks, size)
    recipe = apply(first, read_settings(file)) if file else first
    recipe = apply(recipe, parse_settings(settings))
    if (recipe.task, recipe.size) != (first.task, first.size):
        raise InputError(
            f"settings are for {recipe.task} at {recipe.size}, the run is for {first.task} at {first.size}"
        )
    return recipe


def choose_start(start: str | None, size: str, weights: Path | None) -> str:
    """What a run starts from if nothing is said: what the file holds, else a pretrained backbone where there is one.

    Raises:
        InputError: weights that would not be used.
        WeightsError: a file that is no checkpoint.
    """
    if start == "nothing" and weights is not None:
        raise InputError("start=nothing: the given weights would not be used", "leave one of the two out")
    if start is not None:
        return start
    if weights is not None:
        from sapiens.weights import identify, locate

        return "backbone" if identify(locate("pretrain", size, weights)).task == "pretrain" else "task"
    return "backbone" if get_size(size).pretrained else "nothing"
