"""Which frames of a clip to take: `start:stop:step`, as Python slices."""

from __future__ import annotations

from dataclasses import dataclass

from sapiens.errors import InputError


@dataclass(frozen=True)
class FrameRange:
    """Frames `start`, `start + step`, ... before `stop`.

    Attributes:
        start: first frame, from 0.
        stop: the first frame that is left out; None: to the end.
        step: every so many frames.
    """

    start: int = 0
    stop: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        if self.start < 0 or self.step < 1 or (self.stop is not None and self.stop <= self.start):
            raise InputError(
                f"frames {self}: expected START:STOP:STEP with 0 <= START < STOP and STEP of at least 1",
                hint="10:200:2 takes frames 10, 12, ... 198; 10: takes all from 10 on",
            )

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """Read "10:200:2", "10:", ":200" or "::5"; a number alone is that one frame.

        Raises:
            InputError: anything else.
        """
        parts = [part.strip() for part in text.split(":")]
        if len(parts) > 3 or not all(part == "" or part.isdecimal() for part in parts) or parts == [""]:
            raise InputError(
                f"frames {text!r}: expected START:STOP:STEP in whole numbers", hint="for example 10:200:2, or 10:"
            )
        if len(parts) == 1:
            return cls(int(parts[0]), int(parts[0]) + 1)
        start, stop, step = [*parts, ""][:3]
        return cls(int(start or 0), int(stop) if stop else None, int(step or 1))

    def __str__(self) -> str:
        return f"{self.start}:{'' if self.stop is None else self.stop}:{self.step}"

    def __contains__(self, index: int) -> bool:
        return self.start <= index and not self.ends_before(index) and (index - self.start) % self.step == 0

    def ends_before(self, index: int) -> bool:
        """Whether no frame from `index` on is taken."""
        return self.stop is not None and index >= self.stop
