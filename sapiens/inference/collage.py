"""One result from predictions of the whole picture and of parts of it, in bounded memory.

Pieces come in the order of their windows, which are sorted along the picture's longer side. As soon as no later piece
reaches a stretch of it, and more than `KEPT_BYTES` wait, that stretch is pasted and the pieces behind it are let go:
an 8K picture holds two columns of tiles at a time, not all of them. What no piece reaches stays the whole picture's
prediction, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sapiens.imaging.frame import Frame
from sapiens.imaging.geometry import Letterbox
from sapiens.inference.windows import Window, at_density, low_part, sample
from sapiens.tasks.base import Meta, Prepared, Raw, Result, Setup, Task
from sapiens.tasks.pieces import Piece, Pieces, Place

KEPT_BYTES = 256 << 20
"""What may wait before pasting starts; with less, all the pasting is left to `finish`, beside the network."""
BAND_BYTES = 16 << 20
"""Of the maps at the picture's size that exist at a time, for each piece that meets there."""


class Collage:
    """Collects raw outputs of one picture's inputs; the first is the whole picture, the others those of its windows.

    Args:
        task, setup: whose outputs.
        pieces: what the task says about blending.
        frame: the picture.
        windows: in the order of the inputs after the first; see `in_order`.
        tiles: whether the windows are tiles, which share the picture evenly, or crops, which stand on it.
    """

    def __init__(
        self, task: Task, setup: Setup, pieces: Pieces, frame: Frame, windows: Sequence[Window], *, tiles: bool
    ) -> None:
        self._task, self._setup, self._pieces = task, setup, pieces
        self._frame, self._windows, self._tiles = frame, list(windows), tiles
        self._whole: Piece | None = None
        self._result: Any = None
        self._waiting: list[tuple[Window, Piece]] = []
        self._count = self._done = 0
        self._axis = _long_axis(frame.size_hw)
        self.most_waiting = 0

    def add(self, prepared: Prepared, raw: Raw, meta: Meta) -> None:
        """Take the next input's raw outputs, of batch size 1."""
        if self._whole is None:
            field = self._pieces.field(raw, prepared, self._setup)
            self._whole = Piece(Place.all_of(self._frame.size_hw), field, raw, prepared)
            self._share = self._pieces.tile_share(field)
            return
        window = self._windows[self._count]
        self._count += 1
        field = self._pieces.field(raw, prepared, self._setup)
        self._waiting.append((window, self._fitted(window, Piece(window.place, field, raw, prepared, self._tiles))))
        self.most_waiting = max(self.most_waiting, len(self._waiting))
        if sum(piece.field.nbytes for _, piece in self._waiting) > KEPT_BYTES:
            self._paste(meta)

    def finish(self, meta: Meta) -> Result:
        """Paste what is left; the result of the whole picture."""
        self._paste(meta)
        result: Result = self._result
        return result

    def _fitted(self, window: Window, piece: Piece) -> Piece:
        """A piece in the whole picture's units; tiles also with its low frequencies, where the task wants that."""
        assert self._whole is not None
        shape = (int(piece.field.shape[1]), int(piece.field.shape[2]))
        below = at_density(self._whole.field, self._whole.place, piece.place, shape)
        weight = at_density(_weight(window, piece.field.device), piece.place, piece.place, shape)[0]
        field = self._pieces.align(piece, self._whole, below, weight, self._setup)
        if self._tiles and self._pieces.low_from_whole:
            # The low part of the difference, not the difference of the low parts: near its border a tile knows nothing
            # of its neighbours, and what its average lacks there cancels.
            field = field + low_part(below - field, _finer(self._whole, piece))
        return Piece(piece.place, field, {}, piece.prepared, self._tiles)

    def _paste(self, meta: Meta) -> None:
        """Paste the stretch of the longer side that no later piece reaches."""
        if self._result is None:
            assert self._whole is not None
            self._result = self._postprocess(self._whole.raw, self._whole.prepared, self._frame, meta)
        later = self._windows[self._count :]
        end = _span(later[0].place, self._axis).start if later else self._frame.size_hw[self._axis]
        if end <= self._done:
            return
        for rows, columns in self._regions(slice(self._done, end)):
            self._paste_region(rows, columns, meta)
        self._done = end
        self._waiting = [(w, p) for w, p in self._waiting if _span(w.place, self._axis).stop > end]

    def _regions(self, stretch: slice) -> Iterator[tuple[slice, slice]]:
        """Bands of rows of the part of a stretch that pieces reach."""
        stretches = [stretch, slice(0, self._frame.size_hw[1 - self._axis])]
        area = (stretches[0], stretches[1]) if self._axis == 0 else (stretches[1], stretches[0])
        reached = [r for w, _ in self._waiting if (r := _shared(w.place, *area)) is not None]
        if not reached:
            return
        top, bottom = min(r.start for r, _ in reached), max(r.stop for r, _ in reached)
        left, right = min(c.start for _, c in reached), max(c.stop for _, c in reached)
        assert self._whole is not None
        step = max(1, BAND_BYTES // (4 * len(self._whole.field) * (right - left)))
        for row in range(top, bottom, step):
            yield slice(row, min(row + step, bottom)), slice(left, right)

    def _paste_region(self, rows: slice, columns: slice, meta: Meta) -> None:
        field, changed = self._blend(rows, columns)
        if not bool(changed.any()):
            return
        image = np.ascontiguousarray(self._frame.image[rows, columns])
        size = image.shape[:2]
        frame = Frame(image, self._frame.id)
        prepared = Prepared(image, Letterbox((size[0], size[1]), (size[0], size[1])))
        part = Meta(**{**vars(meta), "size_hw": frame.size_hw})
        arrays = self._postprocess(self._pieces.raw(field[None]), prepared, frame, part).arrays()
        where = changed.cpu().numpy()
        for name in self._pieces.arrays:
            if name in arrays:
                getattr(self._result, name)[rows, columns][where] = arrays[name][where]

    def _blend(self, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        """The blended field (C, h, w) of a rectangle, and where it differs from the whole picture's (h, w) bool."""
        assert self._whole is not None
        field = sample(self._whole.field, self._whole.place, rows, columns)
        total = torch.zeros_like(field)
        claimed, left = (torch.full(field.shape[1:], v, device=field.device) for v in (0.0, 1.0))
        for window, piece in self._waiting:
            shared = _shared(window.place, rows, columns)
            if shared is None:
                continue
            inside = (_within(shared[0], rows), _within(shared[1], columns))
            fade = window.fade(*shared).to(field.device)
            claim = fade * window.claim(*shared).to(field.device)
            total[(slice(None), *inside)] += claim * sample(piece.field, piece.place, *shared)
            claimed[inside] += claim
            left[inside] *= 1 - fade
        share = sample(self._share, self._whole.place, rows, columns)[0] if self._tiles else 1 - left
        mixed = torch.lerp(field, total / claimed.clamp_min(1e-12), torch.where(claimed > 0, share, 0))
        return mixed, claimed > 0

    def _postprocess(self, raw: Raw, prepared: Prepared, frame: Frame, meta: Meta) -> Result:
        return self._task.postprocess(raw, [prepared], frame, None, self._setup, meta)


def in_order(windows: Sequence[Window], size_hw: tuple[int, int]) -> list[Window]:
    """Windows as a collage wants them: along the picture's longer side by where they begin."""
    axis = _long_axis(size_hw)
    return sorted(windows, key=lambda w: (_span(w.place, axis).start, _span(w.place, 1 - axis).start))


def _long_axis(size_hw: tuple[int, int]) -> int:
    return 0 if size_hw[0] >= size_hw[1] else 1


def _span(place: Place, axis: int) -> slice:
    return place.rows if axis == 0 else place.columns


def _shared(place: Place, rows: slice, columns: slice) -> tuple[slice, slice] | None:
    """What a place and a rectangle have in common."""
    top, bottom = max(place.rows.start, rows.start), min(place.rows.stop, rows.stop)
    left, right = max(place.columns.start, columns.start), min(place.columns.stop, columns.stop)
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _within(part: slice, of: slice) -> slice:
    return slice(part.start - of.start, part.stop - of.start)


def _weight(window: Window, device: torch.device) -> Tensor:
    """(1, h, w) of a window's fade and claim, at the picture's density."""
    place = window.place
    weight = window.fade(place.rows, place.columns) * window.claim(place.rows, place.columns)
    return weight[None].to(device)


def _finer(whole: Piece, piece: Piece) -> tuple[float, float]:
    """How many cells of a piece lie within one of the whole picture's, along each axis."""
    (h, w), (ph, pw) = whole.field.shape[1:], piece.field.shape[1:]
    (height, width), (rows, columns) = whole.place.shape_hw, piece.place.shape_hw
    return max(1.0, ph / rows * height / h), max(1.0, pw / columns * width / w)
