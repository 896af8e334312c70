"""Settings of a training run as frozen dataclasses, set from the command line or a file, and stored as JSON.

A run is a function that returns a `Recipe`; a variant is that recipe plus what differs:

    recipe = apply(sapiens.tasks.seg.recipe.recipe("0.4b"), parse_settings(["optim.lr=1e-4", "iterations=2000"]))
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from sapiens.errors import InputError, UnknownNameError

C = TypeVar("C")


@dataclass(frozen=True)
class Optim:
    """The optimiser and its schedule: linear warm-up, then polynomial decay to zero.

    Attributes:
        kind: "adamw", as released, or "muon" for matrices with AdamW for the rest, which learns faster from nothing.
        lr: base learning rate, that of the head.
        layer_decay: factor per layer from the head down; 1: none.
        weight_decay: of matrices and kernels; biases, norms and position tables have none.
        betas: of AdamW.
        clip_norm: largest global norm of the gradient; 0: no clipping.
        warmup_iters: iterations of the warm-up.
        warmup_start: factor of the learning rate at iteration 0.
        power: of the decay; 1: linear.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 5e-4
    layer_decay: float = 1.0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 4.0
    warmup_iters: int = 500
    warmup_start: float = 1e-3
    power: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run computes, and how it is run.

    Attributes:
        task, size: what is trained; several tasks on one backbone are joined by commas.
        iterations: updates of the weights.
        batch_size: pictures per process and pass; an update sees `batch_size * accumulate * processes` pictures.
        optim: optimiser and schedule.
        augment, loss: the task's own settings (`AugmentConfig`, `LossConfig`).
        input_hw: network input, rows and columns.
        precision: "float32", or "bf16": bfloat16 arithmetic, float32 weights and float32 gradient sums.
        parts: of a joint run, each task's own settings by name; of these `loss`, `options` and `weight` are used.
        weight: of a task's loss in a joint run.
        compat: "reference" keeps the original's quirks.
        seed: of weights, order and augmentation.
        options: the task's own switches while training, e.g. no flip test for pose.
        accumulate: passes per update.
        tune: which weights are trained: "all", "head", "blocks:N" (the last N and the head), "lora:R" (rank R).
        parallel: over several processes, "ddp" (copies) or "fsdp" (sharded block by block).
        checkpointing: recompute each block in the backward pass; saves memory, costs a third more time.
        compile: compile each block and head; takes minutes at the start.
        ema: decay of the running mean of the weights that is validated and exported; 0: none.
        on_nan: at a loss or gradient that is NaN or Inf "stop", or "skip" that update (100 in a row stop the run).
        on_bad_record: at a record that cannot be read "skip" (another one stands in; it is counted) or "stop".
        workers: processes that load pictures, for each training process.
        log_every, save_every, validate_every, pictures_every: in iterations; 0: never.
        keep: how many of the latest checkpoints stay.
        best: metric that chooses the best weights; "" for the first one.
        best_is: whether "high" or "low" values of it are good.
    """

    task: str
    size: str
    iterations: int
    batch_size: int
    optim: Optim = field(default_factory=Optim)
    augment: Any = None
    loss: Any = None
    input_hw: tuple[int, int] = (1024, 768)
    precision: Literal["float32", "bf16"] = "float32"
    compat: Literal["default", "reference"] = "default"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Recipe] = field(default_factory=dict)
    weight: float = 1.0
    accumulate: int = 1
    tune: str = "all"
    parallel: Literal["ddp", "fsdp"] = "ddp"
    checkpointing: bool = False
    compile: bool = False
    ema: float = 0.0
    on_nan: Literal["stop", "skip"] = "stop"
    on_bad_record: Literal["skip", "stop"] = "skip"
    workers: int = 4
    log_every: int = 10
    save_every: int = 1000
    validate_every: int = 1000
    pictures_every: int = 500
    keep: int = 2
    best: str = ""
    best_is: Literal["high", "low"] = "high"

    def __post_init__(self) -> None:
        for name in ("iterations", "batch_size", "accumulate", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("workers", "log_every", "save_every", "validate_every", "pictures_every"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise InputError(f"ema: expected a decay of at least 0 and below 1, got {self.ema}")


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Nested values from texts "a.b=value"; a value is JSON where it can be read as such, else the text itself.

    Raises:
        InputError: a text without "=".
    """
    nested: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"setting {text!r}: expected NAME=VALUE, e.g. optim.lr=1e-4")
        *groups, last = name.strip().split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise InputError(f"setting {text!r}: {group} is already set to a value")
        place[last] = _parse(value.strip())
    return nested


def read_settings(path: str | Path) -> dict[str, Any]:
    """Nested values from a .toml or .json file.

    Raises:
        InputError: no such file, or not one of these.
    """
    path = Path(path)
    readers = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in readers:
        raise InputError(f"{path}: expected a .toml or .json file of settings")
    try:
        values = readers[path.suffix](path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as settings ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected names and values, got a {type(values).__name__}")
    return values


def apply(config: C, values: Mapping[str, Any], *, where: str = "") -> C:
    """The same settings with these values; nested mappings reach nested dataclasses.

    Raises:
        UnknownNameError: no such field; names the nearest.
        InputError: a value of another type than the field's.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise InputError(f"{where or 'settings'}: has no fields of its own to set")
    hints = typing.get_type_hints(type(config))
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            raise UnknownNameError(f"setting of {where or 'the recipe'}", name, hints)
        path, old = f"{where}.{name}".lstrip("."), getattr(config, name)
        if dataclasses.is_dataclass(old) and isinstance(value, Mapping):
            changed[name] = apply(old, value, where=path)
        elif isinstance(old, Mapping) and any(dataclasses.is_dataclass(part) for part in old.values()):
            changed[name] = _apply_to_parts(old, value, path)
        else:
            changed[name] = _fit(value, hints[name], path)
    return dataclasses.replace(config, **changed)


def _apply_to_parts(parts: Mapping[str, Any], values: Any, where: str) -> dict[str, Any]:
    """Named settings with values for some of them."""
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected names and values, got {values!r}")
    for name in values:
        if name not in parts:
            raise UnknownNameError(f"part of {where}", name, parts)
    return {name: apply(part, values.get(name, {}), where=f"{where}.{name}") for name, part in parts.items()}


def to_dict(config: Any) -> dict[str, Any]:
    """All fields as plain values, ready for JSON; `apply` on the task's own recipe is the inverse."""
    values = config if isinstance(config, Mapping) else dataclasses.asdict(config)
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return plain


def differences(first: Any, second: Any) -> list[str]:
    """Names of the fields in which two settings differ, e.g. "optim.lr"."""
    one, other = _flat(to_dict(first)), _flat(to_dict(second))
    return [name for name in one | other if one.get(name) != other.get(name)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _fit(value: Any, hint: Any, where: str) -> Any:
    """The value in the type of its field, or an error that says what is expected."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or (origin in (Mapping, dict) and isinstance(value, Mapping)):
        return value
    if origin is Literal:
        if value not in args:
            raise UnknownNameError(where, str(value), [str(a) for a in args])
        return value
    if origin in (typing.Union, types.UnionType):
        return _first_fit(value, args, where)
    if origin is tuple and isinstance(value, list | tuple):
        each = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(each) == len(value):
            return tuple(_fit(v, h, where) for v, h in zip(value, each, strict=True))
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    expected = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
    raise InputError(f"{where}: expected {expected}, got {value!r}")


def _first_fit(value: Any, hints: Iterable[Any], where: str) -> Any:
    for hint in hints:
        try:
            return _fit(value, hint, where)
        except InputError:
            continue
    raise InputError(f"{where}: expected {' or '.join(getattr(h, '__name__', str(h)) for h in hints)}, got {value!r}")
