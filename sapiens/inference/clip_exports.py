"""Files that hold a whole clip: overlays, mattes with alpha, rows. Fed in order, from one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sapiens.errors import SapiensError
from sapiens.imaging.video_write import H264, PRORES, VP9, Encoding, VideoWriter
from sapiens.inference.clips import Clip, Timing
from sapiens.inference.item import Item, disk_is_full
from sapiens.inference.rows import JsonLines, Parquet, to_row
from sapiens.tasks.base import Result, Task

CLIP_KINDS = ("video", "jsonl", "parquet", "prores", "vp9")
"""What `--save` takes for clips besides the files per frame."""
MATTE_KINDS = ("prores", "vp9")
_ENCODINGS = {"video": H264, "prores": PRORES, "vp9": VP9}


@dataclass
class ClipOutcome:
    """What became of a clip.

    Attributes:
        clip, entry: which, and its position among the run's inputs.
        frames: how many were done.
        files: what holds the whole of it.
        failures: frames that failed, and faults of the clip itself.
        error: the first failure.
        whole: whether it was seen to its end.
        seconds: from its first frame to its last file.
    """

    clip: Clip
    entry: int
    frames: int = 0
    files: list[Path] = field(default_factory=list)
    failures: int = 0
    error: SapiensError | None = None
    whole: bool = False
    seconds: float = 0.0


def has_matte(task: Task) -> bool:
    """Whether a task's results know alpha and colours."""
    return hasattr(task.result, "straight") and hasattr(task.result, "cutout")


def drawn_for(kind: str, result: Result, picture: Callable[[], npt.NDArray[np.uint8]]) -> Any:
    """What a kind of clip file takes of a result; the part of the work that can be done in any order."""
    if kind == "video":
        return picture()
    if kind in ("jsonl", "parquet"):
        return to_row(result)
    return straight_rgba(result, deep=kind == "prores")


def straight_rgba(result: Any, *, deep: bool) -> npt.NDArray[Any]:
    """(H, W, 4) RGBA with straight colours, uint16 or uint8, to the nearest level."""
    matte = result if result.foreground is not None else result.with_picture_colours()
    if not deep:
        return np.asarray(matte.cutout())
    rgba = np.dstack([matte.straight(), matte.alpha])
    return np.asarray((np.clip(rgba, 0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16))


class Sink(Protocol):
    """A file in the making."""

    def add(self, drawn: Any, time_s: float | None) -> None: ...

    def close(self, *, whole: bool) -> Path | None: ...

    def discard(self) -> None: ...


class _Video:
    def __init__(self, path: Path, encoding: Encoding, timing: Timing, *, live: bool) -> None:
        sound = timing.sound if encoding is H264 else None
        self._writer = VideoWriter(
            path,
            encoding,
            rate=timing.rate,
            time_base=timing.time_base,
            pixel_aspect=timing.pixel_aspect,
            sound=sound,
            from_zero=timing.from_zero,
        )
        self._all_sound = not live and not timing.cut

    def add(self, drawn: Any, time_s: float | None) -> None:
        self._writer.write(drawn, time_s)

    def close(self, *, whole: bool) -> Path | None:
        return self._writer.close(whole=whole and self._all_sound)

    def discard(self) -> None:
        self._writer.discard()


class _Rows:
    def __init__(self, file: JsonLines | Parquet) -> None:
        self._file = file

    def add(self, drawn: Any, time_s: float | None) -> None:
        self._file.add(drawn)

    def close(self, *, whole: bool) -> Path | None:
        return self._file.close()

    def discard(self) -> None:
        self._file.discard()


class ClipFiles:
    """The files of one clip after the other.

    Args:
        path: task name, kind, entry, suffix -> where a file goes.
        finished: told of each clip at its end.
    """

    def __init__(
        self, path: Callable[[str, str, int, str], Path], finished: Callable[[ClipOutcome], None] = lambda outcome: None
    ) -> None:
        self._path, self.finished = path, finished
        self._now: ClipOutcome | None = None
        self._sinks: dict[tuple[str, str], Sink | None] = {}
        self._timing: Timing | None = None
        self._started = 0.0
        # The thread that collects may still hold an item when a run that was stopped is closed.
        self._lock = threading.Lock()
        self._closed = False

    def add(self, item: Item) -> None:
        """Take a finished or failed item, in order.

        Raises:
            SapiensError: a file cannot be written; the item's other files are.
        """
        with self._lock:
            clip = item.source.clip
            if self._closed:
                return
            if self._now is not None and clip is not self._now.clip:
                self._finish(whole=True)
            if clip is None:
                return
            if self._now is None:
                assert isinstance(clip, Clip)
                self._now, self._started = ClipOutcome(clip, item.entry), item.started
            self._take(self._now, item)

    def close(self, *, whole: bool) -> None:
        """Finish the last clip.

        Args:
            whole: whether the run came to its end; else the clip counts as cut short, and what there is of it is kept.
        """
        with self._lock:
            self._closed = True
            if self._now is not None:
                self._finish(whole=whole)

    def _take(self, now: ClipOutcome, item: Item) -> None:
        error = item.error
        for (task, kind), drawn in item.drawn.items():
            try:
                self._add(now, task, kind, drawn, item)
            except SapiensError as failure:
                if disk_is_full(failure):
                    raise
                error = error or failure
        item.drawn = {}
        now.seconds = item.started + item.seconds - self._started
        if error is None:
            now.frames += 1
            return
        now.failures += 1
        now.error = now.error or error
        if item.error is None:
            raise error

    def _add(self, now: ClipOutcome, task: str, kind: str, drawn: Any, item: Item) -> None:
        key = (task, kind)
        if key not in self._sinks:
            self._sinks[key] = None  # stays so if opening fails: said once, not for every frame
            self._sinks[key] = self._open(now, task, kind)
        sink = self._sinks[key]
        if sink is None:
            return
        try:
            sink.add(drawn, item.take().time_s)
        except SapiensError as error:
            if error.__cause__ is not None:  # the file, not the frame
                sink.discard()
                self._sinks[key] = None
            raise

    def _open(self, now: ClipOutcome, task: str, kind: str) -> Sink:
        if kind == "jsonl":
            return _Rows(JsonLines(self._path(task, kind, now.entry, JsonLines.suffix)))
        if kind == "parquet":
            return _Rows(Parquet(self._path(task, kind, now.entry, Parquet.suffix)))
        if self._timing is None:
            self._timing = now.clip.timing()
        encoding = _ENCODINGS[kind]
        path = self._path(task, kind, now.entry, encoding.suffix)
        return _Video(path, encoding, self._timing, live=now.clip.live)

    def _finish(self, *, whole: bool) -> None:
        now, sinks = self._now, [sink for sink in self._sinks.values() if sink is not None]
        assert now is not None
        self._now, self._sinks, self._timing = None, {}, None
        now.whole = whole
        for sink in sinks:
            try:
                path = sink.close(whole=whole)
            except SapiensError as error:
                if disk_is_full(error) and whole:
                    raise
                now.failures += 1
                now.error = now.error or error
            else:
                now.files += [] if path is None else [path]
        self.finished(now)
