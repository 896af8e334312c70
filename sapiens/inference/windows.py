"""Rectangles of a picture: how much a piece counts at every pixel of its own, and a map's values within a rectangle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens.tasks.pieces import Place


@dataclass(frozen=True)
class Window:
    """A rectangle that a network input is cut from, and how much its prediction counts there.

    Attributes:
        place: the rectangle.
        ramp_hw: pixels over which it fades in from its upper and lower, and from its left and right border. The
            picture's own borders have no fade.
        strength: 0..1 on all of it.
        focus_xyxy: what it is about, in pixels of the picture; where windows meet, the one whose focus is nearer counts
            more. None: all of it alike.
    """

    place: Place
    ramp_hw: tuple[float, float]
    strength: float = 1.0
    focus_xyxy: tuple[float, float, float, float] | None = None

    def fade(self, rows: slice, columns: slice) -> Tensor:
        """(h, w) in 0..1 over a rectangle within the place: how much it counts against the whole picture."""
        (height, width), place = self.place.size_hw, self.place
        down = _ramp(rows, place.rows, self.ramp_hw[0], height)
        across = _ramp(columns, place.columns, self.ramp_hw[1], width)
        return self.strength * down[:, None] * across[None]

    def claim(self, rows: slice, columns: slice) -> Tensor:
        """(h, w), at most 1: how much it counts against other windows, before its fade."""
        if self.focus_xyxy is None:
            return torch.ones(rows.stop - rows.start, columns.stop - columns.start)
        x1, y1, x2, y2 = self.focus_xyxy
        return _bump(rows, y1, y2)[:, None] * _bump(columns, x1, x2)[None]


def _ramp(pixels: slice, whole: slice, length: float, picture: int) -> Tensor:
    """Smoothstep from 0 just outside either end to 1 after `length` pixels; 1 at an end that is the picture's."""
    at = torch.arange(pixels.start, pixels.stop, dtype=torch.float32)
    length = max(length, 1e-6)
    before = (at - whole.start + 0.5) / length if whole.start > 0 else torch.ones_like(at)
    after = (whole.stop - at - 0.5) / length if whole.stop < picture else torch.ones_like(at)
    near = torch.minimum(before, after).clamp(0, 1)
    return near * near * (3 - 2 * near)


def _bump(pixels: slice, low: float, high: float) -> Tensor:
    """1 in the middle of low..high, a half at either end, falling with the fourth power; never 0."""
    at = torch.arange(pixels.start, pixels.stop, dtype=torch.float32)
    distance = (at - (low + high) / 2) / max((high - low) / 2, 1.0)
    return 1 / (1 + distance.clamp(-30, 30) ** 4)


def sample(field: Tensor, over: Place, rows: slice, columns: slice) -> Tensor:
    """The values that a map has in a rectangle of the picture, when resized to its place: bilinear, half-pixel centres.

    The numbers are those of `sapiens.imaging.resize.resize_maps` to `over.shape_hw`, then cut, but for float rounding.

    Args:
        field: (C, h, w) float32 over a place.
        over: the place.
        rows, columns: of the picture, within the place.

    Returns:
        (C, rows, columns).
    """
    height, width = over.shape_hw
    field = _mix(field, 1, *_weights(field.shape[1], height, rows, over.rows.start, field.device))
    return _mix(field, 2, *_weights(field.shape[2], width, columns, over.columns.start, field.device))


def at_density(field: Tensor, over: Place, part: Place, shape_hw: tuple[int, int]) -> Tensor:
    """A map's values over a part of its place on a grid of `shape_hw` cells: (C, *shape_hw)."""
    for axis, name in ((1, "rows"), (2, "columns")):
        have, want, start = getattr(over, name), getattr(part, name), getattr(over, name).start
        step = (want.stop - want.start) / shape_hw[axis - 1]
        at = (torch.arange(shape_hw[axis - 1], dtype=torch.float64) + 0.5) * step + want.start - start
        field = _mix(field, axis, *_between(at, field.shape[axis], have.stop - start, field.device))
    return field


def low_part(field: Tensor, factor_hw: tuple[float, float]) -> Tensor:
    """A map (C, h, w) averaged over cells `factor_hw` times as large and brought back: what is larger than they are."""
    size = [max(1, round(n / f)) for n, f in zip(field.shape[1:], factor_hw, strict=True)]
    small = F.interpolate(field[None], size=size, mode="area")
    return F.interpolate(small, size=field.shape[1:], mode="bilinear", align_corners=False)[0]


def _weights(cells: int, pixels: int, part: slice, start: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    at = torch.arange(part.start - start, part.stop - start, dtype=torch.float64) + 0.5
    return _between(at, cells, pixels, device)


def _between(at: Tensor, cells: int, pixels: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Cells before and after positions in pixels (0 the left border), and the weight of the one after."""
    position = (at * (cells / pixels) - 0.5).clamp(0, cells - 1)
    before = position.floor().long()
    after = (before + 1).clamp(max=cells - 1)
    return before.to(device), after.to(device), (position - before).float().to(device)


def _mix(field: Tensor, axis: int, before: Tensor, after: Tensor, weight: Tensor) -> Tensor:
    shape = [1, 1, 1]
    shape[axis] = len(weight)
    return torch.lerp(field.index_select(axis, before), field.index_select(axis, after), weight.view(shape))
