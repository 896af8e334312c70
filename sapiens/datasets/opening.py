"""From what a user types to annotated pictures."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sapiens.datasets.formats import FORMATS, guess_format, is_mixture
from sapiens.datasets.options import PATHLESS, Spec, make_options, parse_spec
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks import get_task

FILE_OPTIONS = ("map", "images", "camera", "cache")
"""Options that name a file or folder of their own."""


def open_data(spec: str | Path, task: str, *, check: bool = True) -> Sequence[Sample]:
    """Annotated pictures that a task can learn from, each read when it is asked for, at its own size.

    Args:
        spec: `[FORMAT:]PATH[,OPTION=VALUE...]`, e.g. "synth:seed=1,count=5000,people=1-4,size=256x192", an annotation
            file, a folder, "shards:DIR/train-{0000..0009}.tar", or a .toml or .json mixture; see docs/data.md.
        task: name of the task, or several with commas between for data that serves them all.
        check: look for problems first: all that the list itself tells, missing files, and `check.SPOT` records spread
            over the data read in full. `check_data` reads everything.

    Returns:
        samples by index; one that cannot be used raises InputError, which names its file and record.

    Raises:
        UnknownNameError: no such task, format or option; names the nearest.
        InputError: nothing to read there; or with `check`, the problems found, all of them at once.
    """
    samples = open_part(str(spec), task)
    if check:
        from sapiens.datasets.check import SPOT, refuse, validate

        refuse(str(spec), validate(samples, task, at_most=SPOT))
    return samples


def open_part(
    text: str,
    task: str,
    *,
    base: Path | None = None,
    options: Mapping[str, Any] | None = None,
    inside: tuple[Path, ...] = (),
) -> Sequence[Sample]:
    """Open one spec without looking for problems.

    Args:
        text: the spec.
        task: as `open_data`.
        base: folder that relative paths start from; default the working folder.
        options: further options.
        inside: mixtures that this spec stands in.
    """
    names = [name.strip() for name in task.split(",")]
    for name in names:
        get_task(name)
    task = ",".join(names)
    spec = parse_spec(text, FORMATS)
    # "DIR/train-{0000..0009}.tar" is absolute or relative like any other path.
    path = (base or Path()) / Path(spec.path).expanduser() if spec.path else None
    if not spec.format and path is not None and is_mixture(path):
        from sapiens.datasets.mixture import open_mixture

        if spec.options or options:
            raise InputError(f"{text}: a mixture takes no options; give them to its parts")
        return open_mixture(path, task, inside)
    values = {**spec.options, **(options or {})}
    if base is not None:
        values |= {name: _below(base, name, values[name]) for name in FILE_OPTIONS if name in values}
    return _open(spec, path, values, task)


def _below(base: Path, name: str, value: Any) -> Any:
    """A file option of a mixture starts from the mixture's folder too; a name that is no file there stays a name."""
    path = base / str(value)
    return str(path) if path.exists() or name == "cache" else value


def _open(spec: Spec, path: Path | None, values: Mapping[str, Any], task: str) -> Sequence[Sample]:
    name = spec.format or guess_format(_needed(path, spec), task)
    form = FORMATS[name]
    unable = [one for one in task.split(",") if form.tasks and one not in form.tasks]
    if unable:
        fits = [known for known, other in FORMATS.items() if not other.tasks or set(task.split(",")) <= {*other.tasks}]
        raise InputError(f"{spec.text}: {name} has nothing for {', '.join(unable)}; expected one of {', '.join(fits)}")
    module = importlib.import_module(f"sapiens.datasets.{form.module}")
    options = make_options(module.OPTIONS, values, name)
    if name not in (*PATHLESS, "shards") and not _needed(path, spec).exists():
        raise InputError(f"{path}: no such file or folder")
    samples: Sequence[Sample] = module.open_format(path, options, task)
    return samples


def _needed(path: Path | None, spec: Spec) -> Path:
    if path is None:
        raise InputError(f"{spec.text}: expected a path after the format, e.g. {spec.format}:FOLDER")
    return path
