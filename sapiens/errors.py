"""Every error a user can meet: one line that says what, where and what would be right, and a hint what to do next."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class SapiensError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: one line: what was given, where, and what was expected.
        hint: what to do or type next; shown on its own line by the command line.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} (hint: {self.hint})"


class InputError(SapiensError, ValueError):
    """An image, box, file or argument that cannot be used."""


class UnknownNameError(InputError):
    """A task, size or option that does not exist; names the nearest one that does."""

    def __init__(self, kind: str, given: str, choices: Iterable[str]) -> None:
        known = list(choices)
        by_lower = {name.lower(): name for name in known}
        near = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.5)
        hint = f"did you mean {by_lower[near[0]]!r}?" if near else None
        super().__init__(f"unknown {kind} {given!r}; known: {', '.join(known)}", hint)


class WeightsError(SapiensError):
    """A checkpoint that is missing, damaged, or made for something else."""


class MissingDependencyError(SapiensError, ImportError):
    """An optional package is not installed."""


class NumericError(SapiensError):
    """A network produced NaN or Inf; nothing is written from it."""


class StoppedError(SapiensError):
    """A run that ended because it was asked to; what it had done is saved.

    Args:
        signal: number of the signal that asked.
    """

    def __init__(self, message: str, hint: str | None = None, *, signal: int) -> None:
        super().__init__(message, hint)
        self.signal = signal


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Raises:
        MissingDependencyError: with the pip command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingDependencyError(f"{module} is not installed", hint=f"pip install 'sapiens[{extra}]'") from error
