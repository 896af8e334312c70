"""What `sapiens train` says while it trains: a bar with the time left, validations, records that were passed over."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sapiens.cli.console import put, say

if TYPE_CHECKING:
    from sapiens.config import Recipe


class Lines:
    """Receives the trainer's log lines.

    Args:
        recipe: of the run.
        done: updates that it has done already.
        as_json: each line as JSON on stdout; nothing else.
        quiet: nothing at all but that.
    """

    def __init__(self, recipe: Recipe, done: int, *, as_json: bool = False, quiet: bool = False) -> None:
        self.recipe, self.done, self.as_json = recipe, done, as_json
        self.silent = quiet or as_json
        self._bar: Any = None
        self._headlines = headlines(recipe)

    def __enter__(self) -> Lines:
        if not self.silent and sys.stderr.isatty():
            self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, line: dict[str, Any]) -> None:
        """Show a log line."""
        if self.as_json:
            put(json.dumps(line))
        if self.silent:
            return
        for problem in line.get("problems", ()):
            say("warning", f"passed over: {problem}")
        measured = {name: line[f"val/{name}"] for name in self._headlines if f"val/{name}" in line}
        if measured:
            say("note", f"update {line['update']}: " + ", ".join(f"{n} {v:.4g}" for n, v in measured.items()))
        if "loss" in line and self._bar is not None:
            self._move(line)

    def end(self, path: Path) -> None:
        """The run is done: its result, on stdout."""
        put(json.dumps({"model": str(path)}) if self.as_json else str(path))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=self.recipe.iterations, completed=self.done)
        self._bar.start()

    def _move(self, line: dict[str, Any]) -> None:
        text = f"loss {line['loss']:.4g}, {line['step_s']:.3g} s an update, {duration(line['eta_s'])} left"
        self._bar.update(self._task, completed=line["update"], description=text)


def headlines(recipe: Recipe) -> list[str]:
    """Names of the metrics that are shown: what chooses the best weights, and of a joint run each task's own."""
    from sapiens.tasks.learning import get_learning

    own = [f"{task}/{get_learning(task).headline[0]}" for task in recipe.parts]
    return [recipe.best, *own, "failed"]


def duration(seconds: float) -> str:
    """E.g. "2 h 05 min", "3 min 20 s", "9 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
