"""The best and the worst pictures of a run, kept as small pictures while it goes on."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from sapiens.evaluation.report import Good, Shown

SIDE = 360
"""Longest side of the pictures kept, in pixels."""

Draw = Callable[[], tuple[Image.Image, Image.Image, Image.Image]]


class Extremes:
    """Keeps the `number` best and worst.

    Args:
        number: how many of each.
        good: which scores are good.
    """

    def __init__(self, number: int, good: Good) -> None:
        self._number, self._sign = number, 1 if good == "high" else -1
        self._best: list[Shown] = []
        self._worst: list[Shown] = []

    def add(self, index: int, name: str, score: float, draw: Draw) -> None:
        """Consider a picture; it is drawn only if it is kept. One without a score is passed over."""
        if math.isnan(score):
            return
        entry = Shown(index, name, score, (b"", b"", b""))
        best, worst = self._ranked([*self._best, entry], 1), self._ranked([*self._worst, entry], -1)
        if entry in best or entry in worst:
            first, second, third = (_jpeg(picture) for picture in draw())
            drawn = Shown(index, name, score, (first, second, third))
            best, worst = ([drawn if kept is entry else kept for kept in row] for row in (best, worst))
        self._best, self._worst = best, worst

    def _ranked(self, entries: Sequence[Shown], sign: int) -> list[Shown]:
        """By score, then by place in the data, whatever the order they came in."""
        return sorted(entries, key=lambda shown: (-sign * self._sign * shown.score, shown.index))[: self._number]

    def state(self) -> list[list[Any]]:
        """Everything kept, as JSON can hold it."""
        kept = {shown.index: shown for shown in (*self._best, *self._worst)}
        return [[s.index, s.id, s.score, *(base64.b64encode(p).decode() for p in s.pictures)] for s in kept.values()]

    def merge(self, state: Sequence[Sequence[Any]]) -> None:
        """Consider what another one kept."""
        for index, name, score, *pictures in state:
            first, second, third = (base64.b64decode(picture) for picture in pictures)
            entry = Shown(index, name, score, (first, second, third))
            self._best = self._ranked([*self._best, entry], 1)
            self._worst = self._ranked([*self._worst, entry], -1)

    def chosen(self) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
        """Best and worst; of few pictures none is in both, and the worst come first."""
        worst = {shown.index for shown in self._worst}
        return tuple(shown for shown in self._best if shown.index not in worst), tuple(self._worst)


def _jpeg(picture: Image.Image) -> bytes:
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=88)
    return file.getvalue()
