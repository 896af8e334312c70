"""How the command line talks: data to stdout, the rest to stderr in `error:` and `hint:` lines, NO_COLOR honoured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sapiens.errors import SapiensError

if TYPE_CHECKING:
    from collections.abc import Callable

_COLOURS = {"error": "31", "warning": "33", "hint": "36", "note": "36"}


def say(kind: str, message: str) -> None:
    """One line on stderr: `error: ...`, `hint: ...`, `note: ...`, `warning: ...`; a list goes on in indented lines."""
    from sapiens.env import no_color

    text = "\n  ".join(" ".join(line.split()) for line in message.splitlines())
    label = f"{kind}:"
    if sys.stderr.isatty() and not no_color():
        label = f"\033[{_COLOURS.get(kind, '0')}m{label}\033[0m"
    sys.stderr.write(f"{label} {text}\n")


def say_error(error: SapiensError) -> None:
    """An error and its hint."""
    say("error", error.message)
    if error.hint:
        say("hint", error.hint)


def put(text: str) -> None:
    """One line of data on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def progress(title: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[], None]]:
    """A bar with rate and remaining time on a terminal, nothing when piped; yields the function that advances it."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: BarTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.2f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
