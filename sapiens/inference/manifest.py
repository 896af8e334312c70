"""What became of every input, one line of JSON each, so that a run that was killed can go on where it stopped.

`OUT/manifest.jsonl` grows as things are finished. A line holds

- `input`, the input as it was named, and `path`, its absolute path; for a frame of a clip the clip's, with `frame`, the
  name of its files, and for a clip as a whole with `frames`, how many were done;
- `weights`, the digest of each task's weights, and `settings`, everything else that changes what is written;
- `outcome`: "done", "failed" (with `error`) or "interrupted";
- `seconds`, from reading to the last file; `files`, below OUT; `stamp`, the input file's bytes and time of change.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sapiens.errors import InputError
from sapiens.imaging.write import write_bytes
from sapiens.inference.clip_exports import ClipOutcome
from sapiens.inference.clips import Clip
from sapiens.inference.item import Item, Source

NAME = "manifest.jsonl"
_START_OVER = "start over without --resume"
_LEFT_OVER = re.compile(r"\.[0-9a-f]{32}\.\w+")


class Manifest:
    """The manifest of a run.

    Args:
        out: the output folder, which exists.
        settings: everything besides the weights that changes what is written; values that JSON takes.
        weights: digest by task.
        resume: go on with the manifest that is there; else it is begun anew.

    Raises:
        InputError: `resume`, and the earlier run had other settings or weights, or the file is none of ours.
    """

    def __init__(
        self, out: Path, settings: Mapping[str, Any], weights: Mapping[str, str], *, resume: bool = False
    ) -> None:
        self._out, self.path = out, out / NAME
        self._settings = json.loads(json.dumps(dict(settings)))
        self._weights = dict(weights)
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str | None], dict[str, Any]] = {}
        lines = _read(self.path) if resume else []
        for line in lines:
            self._check(line)
            # A later line counts: what failed may have been done since, what changed may have failed.
            self._done[_key(line)] = line
        self._text = "".join(json.dumps(line) + "\n" for line in lines)
        try:
            self.path.write_text(self._text, encoding="utf-8") if not resume else self._mend()
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def is_done(self, source: Source | Clip) -> bool:
        """Whether an earlier run finished this input as it is now, and its files are still there."""
        return self._holds(_place(source), None, source.path)

    def frames_done(self, clip: Clip) -> frozenset[str]:
        """Names of a clip's frames that an earlier run finished."""
        place = _place(clip)
        paths = {source.name: source.path for source in clip.frames()} if clip.stills else {}
        names = [frame for where, frame in self._done if where == place and frame is not None]
        return frozenset(name for name in names if self._holds(place, name, paths.get(name, clip.path)))

    def files_of(self, source: Source | Clip) -> list[Path]:
        """The files an earlier run wrote for this input."""
        line = self._done.get((_place(source), None), {})
        return [self._out / name for name in line.get("files", [])]

    def add(self, item: Item) -> None:
        """Note a finished or failed picture or frame; from any thread.

        Raises:
            InputError: the manifest cannot be written.
        """
        clip = item.source.clip
        named = clip if isinstance(clip, Clip) else item.source
        line = {"input": named.id, "path": _place(named)}
        if clip is not None:
            line["frame"] = item.source.name or ""
        stamp = _stamp(item.source.path or named.path)
        self._append(line, item.error, item.seconds, item.files, stamp)

    def add_clip(self, outcome: ClipOutcome) -> None:
        """Note a clip at its end; as `add`."""
        clip = outcome.clip
        line = {"input": clip.id, "path": _place(clip), "frames": outcome.frames, "failures": outcome.failures}
        interrupted = not outcome.whole and outcome.error is None
        self._append(line, outcome.error, outcome.seconds, outcome.files, _stamp(clip.path), interrupted=interrupted)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _append(
        self,
        line: dict[str, Any],
        error: Exception | None,
        seconds: float,
        files: Iterable[Path],
        stamp: list[int] | None,
        *,
        interrupted: bool = False,
    ) -> None:
        outcome = "failed" if error is not None else "interrupted" if interrupted else "done"
        line |= {"weights": self._weights, "settings": self._settings, "outcome": outcome}
        if error is not None:
            line["error"] = getattr(error, "message", str(error))
        line |= {
            "seconds": round(seconds, 3),
            "files": [os.path.relpath(path, self._out) for path in files],
            "stamp": stamp,
        }
        try:
            # One write to a file without a buffer: a kill leaves whole lines.
            with self._lock:
                self._file.write((json.dumps(line) + "\n").encode())
        except OSError as failure:
            raise InputError(f"{self.path}: cannot be written ({failure.strerror or failure})") from failure

    def _holds(self, place: str, frame: str | None, path: Path | None) -> bool:
        line = self._done.get((place, frame))
        if line is None or line["outcome"] != "done" or line["stamp"] != _stamp(path):
            return False
        return all((self._out / name).is_file() for name in line["files"])

    def _check(self, line: dict[str, Any]) -> None:
        differing = _differences(line["settings"], self._settings)
        differing += [f"weights of {text}" for text in _differences(line["weights"], self._weights)]
        if differing:
            raise InputError(
                f"{self.path}: the earlier run had other settings: {'; '.join(differing)}",
                hint="resume with the same settings, choose another output folder, or start over without --resume",
            )

    def _mend(self) -> None:
        """Cut off the end of a line that a kill left, so that the next one starts its own."""
        if self.path.exists() and self.path.read_text(encoding="utf-8", errors="replace") != self._text:
            write_bytes(self.path, self._text.encode())


def remove_left_overs(folders: Iterable[Path]) -> int:
    """Delete the temporary files that a killed run left in its output folders; returns how many."""
    count = 0
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if _LEFT_OVER.fullmatch(name):
                Path(folder, name).unlink(missing_ok=True)
                count += 1
    return count


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            _key(entry), entry["outcome"], entry["files"], entry["stamp"], entry["weights"], entry["settings"]
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break  # a kill in the middle of it
            raise InputError(
                f"{path}: line {number} is none of a manifest", hint="start over without --resume"
            ) from error
        found.append(entry)
    return found


def _key(line: Mapping[str, Any]) -> tuple[str, str | None]:
    return line["path"], line.get("frame")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*before, *now])
    return [
        f"{name} was {json.dumps(before.get(name))}, now {json.dumps(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _place(source: Source | Clip) -> str:
    """The same wherever the run is started from; addresses and names stay as they are."""
    if isinstance(source, Clip) and (source.stills or source.path is None):
        return os.path.abspath(source.id) if source.stills else source.id
    return os.path.abspath(source.path) if source.path is not None else source.id


def _stamp(path: Path | None) -> list[int] | None:
    """Bytes and time of change of a file; None for what is none. A folder changes with what is in it."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns] if found is not None else None
