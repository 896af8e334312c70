"""What `sapiens predict` says of each picture and clip, and at the end."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sapiens.cli.console import put, say, say_error
from sapiens.errors import SapiensError

if TYPE_CHECKING:
    from sapiens.inference.clip_exports import ClipOutcome
    from sapiens.inference.item import Item

FAILURES_SHOWN = 5
"""Of one clip; the manifest has all."""


class Report:
    """Says what became of each picture, and sums up at the end. Holds no picture."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._json, self._quiet = as_json, quiet
        self._failures: list[SapiensError] = []
        self._failed = self._done = self._frames = 0
        self._by_clip: Counter[str] = Counter()
        self._clip_notes: Counter[tuple[str, str]] = Counter()
        self._clips: deque[ClipOutcome] = deque()
        self._stopped = False
        self._start = time.perf_counter()
        self._notes: Callable[[str], None] = (lambda text: None) if quiet else (lambda text: say("note", text))

    def add(self, item: Item) -> None:
        """Note one finished or failed picture or frame."""
        clip = item.source.clip
        self._say_clips(before=clip)
        if item.error is not None:
            self._fail(item.error, clip.id if clip is not None else None)
        elif clip is None:
            self._done += 1
        else:
            self._frames += 1
        if self._json:
            put(json.dumps(self._line(item)))
        for note in item.notes:
            if clip is None:
                self._notes(f"{item.source.id}: {note}")
            else:
                self._clip_notes[clip.id, note] += 1

    def add_clip(self, outcome: ClipOutcome) -> None:
        """Note a clip at its end; from any thread. It is spoken of after its last frame."""
        self._clips.append(outcome)

    def stop(self, error: SapiensError) -> None:
        """Note what ended the run before its end."""
        self._stopped = True
        self._fail(error, None)

    def _say_clips(self, before: object) -> None:
        """Speak of the clips that have ended, once the frame at hand is of another one."""
        while self._clips and self._clips[0].clip is not before:
            self._say_clip(self._clips.popleft())

    def _say_clip(self, outcome: ClipOutcome) -> None:
        """What the frames of a clip had to say is said once."""
        name = outcome.clip.id
        total = outcome.frames
        for (clip, note), count in list(self._clip_notes.items()):
            if clip == name:
                self._notes(f"{name}: {note}" + ("" if count >= total else f" (in {count} of {total} frames)"))
                del self._clip_notes[clip, note]
        if outcome.error is not None and not self._by_clip[name]:
            self._fail(outcome.error, name)  # of its files, not of a frame
        if self._json:
            files = [str(path) for path in outcome.files]
            put(json.dumps({"input": name, "frames": outcome.frames, "files": files}))

    def close(self, out: Path, run_files: Sequence[Path], *, earlier: int = 0) -> None:
        """Sum up; list the failures last.

        Args:
            out: where the results are.
            run_files: files that speak of the whole run.
            earlier: inputs that an earlier run had finished.

        Raises:
            typer.Exit: with code 1 if any picture failed.
        """
        self._say_clips(before=None)
        seconds = time.perf_counter() - self._start
        if not self._quiet:
            done = _count(self._done, "picture") if self._done or not self._frames else ""
            frames = _count(self._frames, "frame") if self._frames else ""
            before = f" ({_count(earlier, 'input')} done before)" if earlier else ""
            say("done", f"{' and '.join(filter(None, (done, frames)))} in {seconds:.1f} s, written to {out}{before}")
        for path in run_files:
            self._notes(f"{path} holds the whole run")
        for error in self._failures:
            say_error(error)
        for name, count in self._by_clip.items():
            if count > FAILURES_SHOWN:
                say("error", f"{name}: and {count - FAILURES_SHOWN} more; the manifest has them all")
        if self._stopped:
            say("failed", "the run stopped there; --resume goes on")
            raise typer.Exit(1)
        if self._failed:
            what = "pictures" if not self._frames else "pictures and frames"
            say("failed", f"{self._failed} of {self._failed + self._done + self._frames} {what}")
            raise typer.Exit(1)

    def _fail(self, error: SapiensError, clip: str | None) -> None:
        self._failed += 1
        if clip is not None:
            self._by_clip[clip] += 1
        if clip is None or self._by_clip[clip] <= FAILURES_SHOWN:
            # A traceback holds its frames, and they the picture.
            self._failures.append(error.with_traceback(None))

    @staticmethod
    def _line(item: Item) -> dict[str, Any]:
        line: dict[str, Any] = {"input": item.source.id, "status": "failed" if item.error else "done"}
        if item.error is not None:
            return line | {"error": item.error.message, "hint": item.error.hint}
        return line | {
            "files": [str(f) for f in item.files],
            "notes": list(item.notes),
            "seconds": round(item.seconds, 3),
        }


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
