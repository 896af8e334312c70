"""What all readers of annotated files share: records read one at a time, and errors that say which one."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample

SHOWN = 20
"""Problems that one message lists; the rest are counted."""


@dataclass(frozen=True)
class Problem:
    """Something that keeps one record from being used.

    Attributes:
        file: the annotation file, folder or shard.
        record: which of its records; "" where the whole file is meant.
        what: what is wrong.
    """

    file: str
    record: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}, {self.record}: {self.what}" if self.record else f"{self.file}: {self.what}"


class Reader(Sequence[Sample], ABC):
    """Annotated pictures read from files when asked for; pictures are never kept.

    Attributes:
        file: the annotation file or folder, for errors.
        problems: records that were left out because of what the list itself says.
        notes: what else was left out, and why, e.g. "12 crowds".
    """

    def __init__(self, file: Path | str, problems: Sequence[Problem] = (), notes: Sequence[str] = ()) -> None:
        self.file, self.problems, self.notes = str(file), tuple(problems), tuple(notes)

    @abstractmethod
    def name(self, index: int) -> str:
        """Which record of the file that is, for errors."""

    @abstractmethod
    def read(self, index: int) -> Sample:
        """Read a record; errors need not name it."""

    def files(self, index: int) -> Sequence[Path]:
        """Files that a record needs, to see whether they exist."""
        return ()

    def __getitem__(self, index: Any) -> Any:
        """The annotated picture at its own size, a `Sample`.

        Raises:
            InputError: a record that cannot be used; names its file and the record.
            IndexError: beyond the end.
        """
        place = operator.index(index)
        if not 0 <= place < len(self):
            raise IndexError(place)
        try:
            return self.read(place)
        except InputError as error:
            raise InputError(f"{self.file}, {self.name(place)}: {error.message}", error.hint) from error

    def inspect(self) -> Iterator[Problem]:
        """Problems that show without opening a picture: those of the list, and files that are missing."""
        yield from self.problems
        seen: dict[Path, bool] = {}
        for index in range(len(self)):
            for path in self.files(index):
                if path not in seen:
                    seen[path] = path.is_file()
            missing = [f"{path}: no such file" for path in self.files(index) if not seen[path]]
            if missing:
                yield Problem(self.file, self.name(index), "; ".join(missing))

    def try_read(self, index: int) -> Sample | Problem:
        """A record, or what is wrong with it."""
        try:
            return self.read(index)
        except InputError as error:
            return Problem(self.file, self.name(index), error.message)


def list_problems(problems: Sequence[Problem], shown: int = SHOWN) -> str:
    """One problem a line, the first `shown` of them, and how many more there are."""
    lines = [str(problem) for problem in problems[:shown]]
    if len(problems) > shown:
        lines.append(f"and {len(problems) - shown} more")
    return "\n".join(lines)
