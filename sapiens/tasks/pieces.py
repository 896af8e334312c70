"""How predictions of parts of a picture become one of the whole: what a task says about blending its maps.

A task's folder has it in `pieces.py`; a task without one (pose) cannot be pieced together. `sapiens.inference.collage`
does the piecing and knows no task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.tasks import find_part
from sapiens.tasks.base import Prepared, Raw, Setup


@dataclass(frozen=True)
class Place:
    """A rectangle of a picture.

    Attributes:
        rows, columns: of the picture.
        size_hw: of the picture.
    """

    rows: slice
    columns: slice
    size_hw: tuple[int, int]

    @classmethod
    def all_of(cls, size_hw: tuple[int, int]) -> Place:
        """The whole picture."""
        return cls(slice(0, size_hw[0]), slice(0, size_hw[1]), size_hw)

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width in pixels of the picture."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class Piece:
    """A map over a part of the picture, or over all of it, and what was predicted beside it.

    Attributes:
        place: where it lies.
        field: (C, h, w) float32, what may be averaged between pieces, without padding; any density.
        raw: the raw outputs it was made from.
        prepared: the network input it was made from.
        is_tile: whether it is a tile, which need not show a whole person.
    """

    place: Place
    field: Tensor
    raw: Raw
    prepared: Prepared
    is_tile: bool = False


def as_it_is(piece: Piece, whole: Piece, below: Tensor, weight: Tensor, setup: Setup) -> Tensor:
    """Default `Pieces.align`: nothing to do."""
    return piece.field


def evenly(share: float) -> Callable[[Tensor], Tensor]:
    """A `Pieces.tile_share` that is the same everywhere."""
    return lambda field: torch.full_like(field[:1], share)


in_full = evenly(1.0)


@dataclass(frozen=True)
class Pieces:
    """What a task says about blending.

    Attributes:
        arrays: the arrays of its results that have the picture's rows and columns.
        field: raw outputs of one input, the input, setup -> (C, h, w) float32, ready to be averaged. Resized to the
            picture and handed through `raw` and the task's `postprocess`, it gives the task's result.
        raw: (1, C, h, w) -> raw outputs that `postprocess` takes.
        align: piece, whole picture, the whole picture's field over the piece's place at the piece's density (C, h, w),
            weight (h, w) of every cell, setup -> the piece's field in the whole picture's units and axes.
        low_from_whole: whether tiles, which see no whole person, give details only, and what is larger than a cell of
            the whole picture's prediction comes from that.
        tile_share: the whole picture's field (C, h, w) -> (1, h, w) in 0..1, how much tiles count beside it.
    """

    arrays: tuple[str, ...]
    field: Callable[[Raw, Prepared, Setup], Tensor]
    raw: Callable[[Tensor], Raw]
    align: Callable[[Piece, Piece, Tensor, Tensor, Setup], Tensor] = as_it_is
    low_from_whole: bool = False
    tile_share: Callable[[Tensor], Tensor] = in_full


def get_pieces(task: str) -> Pieces | None:
    """What a task says about blending, by its name; None: it cannot be pieced together.

    Raises:
        UnknownNameError: no such task.
    """
    module = find_part(task, "pieces")
    found: Pieces | None = module.PIECES if module else None
    return found
