"""What is written for each result, and for a whole run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.write import write_image
from sapiens.inference.item import Item
from sapiens.tasks.base import Export, Result, Task

COMMON = ("picture", "npz")


def known_kinds(tasks: Sequence[Task]) -> list[str]:
    """Everything `--save` accepts for these tasks."""
    extra = [kind for task in tasks for kind in (*task.exports, *task.run_exports)]
    return list(dict.fromkeys([*COMMON, *extra]))


class Writer:
    """Writes results below a folder: `<out>/<task>/<stem>.<suffix>`, other kinds in `<out>/<task>_<kind>/`.

    Call it with finished items, from any thread; call `close` after the last one.

    Args:
        out: the output folder.
        stems: relative name of every item, by its index.
        tasks: the tasks to write (others, e.g. one that only serves masks, are left out).
        kinds: what to write: "picture", "npz" and the tasks' own.
        side_by_side: pictures as [picture | result], as the original demos write them.

    Raises:
        InputError: nothing to write, or a kind that none of the tasks has.
    """

    def __init__(
        self,
        out: Path,
        stems: Sequence[Path],
        tasks: Sequence[Task],
        kinds: Sequence[str],
        *,
        side_by_side: bool = False,
    ) -> None:
        known = known_kinds(tasks)
        if not kinds:
            raise InputError(f"no kind of output is asked for; known: {', '.join(known)}")
        for kind in kinds:
            if kind not in known:
                raise UnknownNameError("kind of output", kind, known)
        self._out, self._stems, self._tasks, self._kinds = out, stems, tasks, kinds
        self._side_by_side = side_by_side
        self._kept: dict[str, dict[int, Result]] = {task.name: {} for task in tasks if self._run_kinds(task)}

    @property
    def folders(self) -> set[Path]:
        """Every folder that files will be written to."""
        parents = {stem.parent for stem in self._stems}
        return {self._folder(task, kind) / parent for task in self._tasks for kind in self._kinds for parent in parents}

    def __call__(self, item: Item) -> None:
        """Write everything asked for of one item and note the files on it."""
        stem = self._stems[item.index]
        for task in self._tasks:
            result = item.results[task.name]
            for kind in self._kinds:
                item.files.extend(self._write(task, kind, result, stem))
            if task.name in self._kept:
                self._kept[task.name][item.index] = dataclasses.replace(result, image=None)
        # The arrays of a long run must not pile up behind the reader of its items.
        item.results, item.frame = {}, None

    def close(self) -> list[Path]:
        """Write the files that speak of the whole run (COCO results, the original's predictions file, ...)."""
        written = []
        for task in self._tasks:
            for kind in self._run_kinds(task):
                results = [result for _, result in sorted(self._kept[task.name].items())]
                export = task.run_exports[kind]
                path = self._folder(task, kind) / export.filename.format(label=_label(self._out))
                export.write(results, path)
                written.append(path)
        return written

    def _run_kinds(self, task: Task) -> list[str]:
        return [kind for kind in self._kinds if kind in task.run_exports]

    def _folder(self, task: Task, kind: str) -> Path:
        own = kind in COMMON or kind in task.run_exports
        return self._out / (task.name if own else f"{task.name}_{kind}")

    def _write(self, task: Task, kind: str, result: Result, stem: Path) -> list[Path]:
        export = COMMON_EXPORTS.get(kind) or task.exports.get(kind)
        if export is None:
            return []
        path = self._folder(task, kind) / stem.parent / f"{stem.name}{export.suffix}"
        if kind == "picture" and self._side_by_side:
            write_image(path, _rgb(result, side_by_side=True))
        else:
            export.write(result, path)
        return [path]


def _rgb(result: Result, *, side_by_side: bool = False) -> ImageU8:
    return np.asarray(result.draw(side_by_side=side_by_side).convert("RGB"))


COMMON_EXPORTS: dict[str, Export] = {
    "picture": Export(".png", lambda result, path: write_image(path, _rgb(result))),
    "npz": Export(".npz", lambda result, path: result.save(path)),
}


def _label(out: Path) -> str:
    """The original's label: the output folder's name, or its parent's when that ends in `_output`."""
    name = out.resolve().name
    return out.resolve().parent.name if name.endswith("_output") else name
