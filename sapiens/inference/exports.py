"""What is written for each result, and for a whole run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.exr import EXR_SUFFIX, to_linear, write_exr
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.write import write_image
from sapiens.inference.clip_exports import CLIP_KINDS, MATTE_KINDS, ClipFiles, ClipOutcome, drawn_for, has_matte
from sapiens.inference.clips import Clip
from sapiens.inference.item import Item
from sapiens.tasks.base import Export, Result, Task

COMMON = ("picture", "npz")
PICTURE_DEFAULT = ("picture", "npz")
SEQUENCE_DEFAULT = ("picture", "npz")
MOVIE_DEFAULT = ("video", "jsonl")
"""What is written of pictures, of numbered pictures and of movies where the user does not say."""


def known_kinds(tasks: Sequence[Task]) -> list[str]:
    """Everything `--save` accepts for these tasks and single pictures."""
    extra = [kind for task in tasks for kind in (*task.exports, *task.run_exports)]
    return list(dict.fromkeys([*COMMON, *extra]))


def known_clip_kinds(tasks: Sequence[Task]) -> list[str]:
    """What `--save` accepts for these tasks besides, for whole clips."""
    return [kind for kind in CLIP_KINDS if any(_makes(task, kind) for task in tasks)]


def _makes(task: Task, kind: str) -> bool:
    return kind not in MATTE_KINDS or has_matte(task)


class Writer:
    """Writes results below a folder: `<out>/<task>/<stem>.<suffix>`, other kinds in `<out>/<task>_<kind>/`.

    Files of a clip's frames lie in a folder with its name, files of a whole clip beside that folder. Call the writer
    with finished items, from any thread; then `collect` with all items, in order; and `close` after the last one.

    Args:
        out: the output folder.
        stems: relative name of every input, by its position.
        tasks: the tasks to write (others, e.g. one that only serves masks, are left out).
        kinds: what to write: "picture", "npz", the tasks' own, and `CLIP_KINDS`. None: what is usual for the input.
        side_by_side: pictures as [picture | result], as the original demos write them.
        clips: the inputs that are clips, by their position.

    Raises:
        InputError: nothing to write, a kind that none of the tasks has, or one for clips where there is none.
    """

    def __init__(
        self,
        out: Path,
        stems: Sequence[Path],
        tasks: Sequence[Task],
        kinds: Sequence[str] | None,
        *,
        side_by_side: bool = False,
        clips: Mapping[int, Clip] | None = None,
    ) -> None:
        self._clips = clips or {}
        _check_kinds(kinds, tasks, clips=bool(self._clips))
        self._out, self._stems, self._tasks, self._kinds = out, stems, tasks, kinds
        self._side_by_side = side_by_side
        self._kept: dict[str, dict[tuple[int, int], Result]] = {
            task.name: {} for task in tasks if self._run_kinds(task)
        }
        self._clip_files = ClipFiles(self._clip_path)

    def on_clip(self, finished: Callable[[ClipOutcome], None]) -> None:
        """Ask to be told of each clip at its end."""
        self._clip_files.finished = finished

    def kinds(self, clip: Clip | None) -> Sequence[str]:
        """What is written of a picture or of a clip's frames."""
        if self._kinds is not None:
            return self._kinds
        if clip is None:
            return PICTURE_DEFAULT
        if not clip.stills:
            return MOVIE_DEFAULT
        return (*SEQUENCE_DEFAULT, "jsonl") if any(task.top_down for task in self._tasks) else SEQUENCE_DEFAULT

    @property
    def folders(self) -> set[Path]:
        """Every folder that files will be written to."""
        found = set()
        for entry, stem in enumerate(self._stems):
            clip = self._clips.get(entry)
            for task in self._tasks:
                for kind in self.kinds(clip):
                    whole = clip is None or kind in CLIP_KINDS
                    found.add(self._folder(task, kind) / (stem.parent if whole else stem))
        return found

    def __call__(self, item: Item) -> None:
        """Write everything asked for of one item, note the files on it, and draw what its clip's files take."""
        clip = item.source.clip
        stem = self._stems[item.entry]
        if clip is not None:
            stem = stem / (item.source.name or f"{item.take().index:06d}")
        for task in self._tasks:
            result = item.results[task.name]
            for kind in self.kinds(self._clips.get(item.entry)):
                if kind in CLIP_KINDS:
                    if clip is not None and _makes(task, kind):
                        picture = functools.partial(_rgb, result, side_by_side=self._side_by_side)
                        item.drawn[task.name, kind] = drawn_for(kind, result, picture)
                else:
                    item.files.extend(self._write(task, kind, result, stem))
            if task.name in self._kept:
                self._kept[task.name][item.entry, item.index] = dataclasses.replace(result, image=None)
        # The arrays of a long run must not pile up behind the reader of its items.
        item.results = {}
        if clip is None:
            item.frame = None

    def collect(self, item: Item) -> None:
        """Take every item, in order, for the files that hold a whole clip; see `ClipFiles.add`."""
        try:
            self._clip_files.add(item)
        finally:
            item.drawn, item.frame = {}, None

    def recall(self, entry: int) -> bool:
        """Take back the results of an input that an earlier run finished, for the files of the whole run.

        Returns:
            whether nothing is missing. A clip's frames are not taken back: it must be done again.

        Raises:
            InputError: the earlier results were not saved.
        """
        if not self._kept:
            return True
        if entry in self._clips:
            return False
        for task in self._tasks:
            for kind in self._run_kinds(task):
                path = self._out / task.name / f"{self._stems[entry]}.npz"
                if not path.is_file():
                    raise InputError(
                        f"{path}: not there; {kind} holds the whole run and needs the earlier results back",
                        hint="save npz too, or start over without --resume",
                    )
                self._kept[task.name][entry, 0] = task.result.load(path)
        return True

    def close_clips(self, *, whole: bool = True) -> None:
        """Finish the files of the last clip; see `ClipFiles.close`."""
        self._clip_files.close(whole=whole)

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
        return [kind for kind in self._kinds or () if kind in task.run_exports]

    def _clip_path(self, task: str, kind: str, entry: int, suffix: str) -> Path:
        stem = self._stems[entry]
        folder = f"{task}_{kind}" if kind in MATTE_KINDS else task
        return self._out / folder / stem.parent / f"{stem.name}{suffix}"

    def _folder(self, task: Task, kind: str) -> Path:
        own = kind in COMMON or kind in task.run_exports or (kind in CLIP_KINDS and kind not in MATTE_KINDS)
        return self._out / (task.name if own else f"{task.name}_{kind}")

    def _write(self, task: Task, kind: str, result: Result, stem: Path) -> list[Path]:
        export = _exports(task).get(kind)
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


def _exports(task: Task) -> Mapping[str, Export]:
    """Every kind of file per picture that a task's results can be."""
    mattes = {"exr": Export(EXR_SUFFIX, _write_matte_exr)} if has_matte(task) else {}
    return {**COMMON_EXPORTS, **task.exports, **mattes}


def _write_matte_exr(result: Any, path: Path) -> None:
    """Linear RGBA, premultiplied in linear light, as compositing programs expect of the format."""
    matte = result if result.foreground is not None else result.with_picture_colours()
    colours = to_linear(matte.straight()) * matte.alpha[..., None]
    write_exr(path, np.dstack([colours, matte.alpha]))


def _check_kinds(kinds: Sequence[str] | None, tasks: Sequence[Task], *, clips: bool) -> None:
    if kinds is None:
        return
    for_clips = known_clip_kinds(tasks)
    known = [*known_kinds(tasks), *(["exr"] if any(has_matte(task) for task in tasks) else []), *for_clips]
    if not kinds:
        raise InputError(f"no kind of output is asked for; known: {', '.join(known)}")
    for kind in kinds:
        if kind not in known:
            raise UnknownNameError("kind of output", kind, known)
        if kind in for_clips and not clips:
            raise InputError(
                f"{kind} is a file for a whole clip, and there is no clip among the inputs",
                hint="--sequence takes the pictures of a folder as one clip",
            )


def _label(out: Path) -> str:
    """The original's label: the output folder's name, or its parent's when that ends in `_output`."""
    name = out.resolve().name
    return out.resolve().parent.name if name.endswith("_output") else name
