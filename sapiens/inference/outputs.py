"""Where a run's results go: files of each picture, files of each clip, and the manifest that makes it resumable."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sapiens.errors import SapiensError
from sapiens.inference.clip_exports import CLIP_KINDS, ClipOutcome
from sapiens.inference.clips import Clip
from sapiens.inference.exports import Writer
from sapiens.inference.item import Item, Source, disk_is_full
from sapiens.inference.manifest import Manifest, remove_left_overs


class Outputs:
    """Give `write` and `collect` to the engine, and close it at the end.

    Args:
        writer: of the files.
        manifest: of what became of the inputs.
        on_clip: told of each clip at its end.
    """

    def __init__(
        self, writer: Writer, manifest: Manifest, on_clip: Callable[[ClipOutcome], None] = lambda outcome: None
    ) -> None:
        self._writer, self._manifest, self._on_clip = writer, manifest, on_clip
        writer.on_clip(self._clip_done)

    def write(self, item: Item) -> None:
        """Write a finished item's own files; from any thread."""
        self._writer(item)
        self._note(item)

    def collect(self, item: Item) -> None:
        """Take every item, in order: for the files of whole clips, and for the record of what failed."""
        try:
            self._writer.collect(item)
        except SapiensError as error:
            if disk_is_full(error):
                raise
            item.error = item.error or error
        if item.error is not None:
            self._note(item)

    def close(self, *, whole: bool) -> list[Path]:
        """Finish what is open; returns the files that speak of the whole run.

        Args:
            whole: whether the run came to its end; if not, what there is of the last clip is kept.
        """
        try:
            if whole:
                self._writer.close_clips(whole=True)
                return self._writer.close()
            # The error that ended the run is the one to report.
            with suppress(SapiensError):
                self._writer.close_clips(whole=False)
            return []
        finally:
            self._manifest.close()

    def _note(self, item: Item) -> None:
        item.seconds = time.perf_counter() - item.started if item.started else 0.0
        self._manifest.add(item)

    def _clip_done(self, outcome: ClipOutcome) -> None:
        self._manifest.add_clip(outcome)
        self._on_clip(outcome)


def still_to_do(
    sources: Sequence[Source | Clip], writer: Writer, manifest: Manifest, *, by_frame: bool
) -> list[Source | Clip]:
    """The inputs an earlier run has not finished, each with its position; clips without their finished frames.

    Args:
        sources: all inputs of the run.
        writer: of this run; takes earlier results back where files of the whole run need them.
        manifest: resumed from the earlier run.
        by_frame: whether a frame's results depend on no other frame. Else a clip is done again from its start: people
            would lose their numbers.
    """
    todo: list[Source | Clip] = []
    for entry, source in enumerate(sources):
        if manifest.is_done(source) and writer.recall(entry):
            continue
        numbered = dataclasses.replace(source, entry=entry)
        if isinstance(numbered, Clip) and by_frame and not set(writer.kinds(numbered)) & set(CLIP_KINDS):
            numbered = dataclasses.replace(numbered, skip=manifest.frames_done(numbered))
        todo.append(numbered)
    remove_left_overs(writer.folders)
    return todo
