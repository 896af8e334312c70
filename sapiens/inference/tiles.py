"""Tiles: a picture larger than the network's input, cut into overlapping pieces of that size at full resolution."""

from __future__ import annotations

import math

from sapiens.inference.windows import Window
from sapiens.tasks.pieces import Place

OVERLAP = 0.25
"""Of a tile's side, at least, that it shares with the next one; it fades in over as much."""


def tile_windows(size_hw: tuple[int, int], input_hw: tuple[int, int]) -> list[Window]:
    """The tiles of a picture; none for one that is not larger than the network's input in either direction.

    A tile has the input's size in pixels of the picture, or, where the picture is narrower than that, as much of it as
    keeps the input's aspect ratio.
    """
    if size_hw[0] <= input_hw[0] and size_hw[1] <= input_hw[1]:
        return []
    factor = min(1.0, *(have / want for have, want in zip(size_hw, input_hw, strict=True)))
    tile_hw = [max(1, min(have, round(want * factor))) for have, want in zip(size_hw, input_hw, strict=True)]
    rows, columns = (_starts(have, tile) for have, tile in zip(size_hw, tile_hw, strict=True))
    if len(rows) * len(columns) == 1:
        return []
    ramps = (tile_hw[0] * OVERLAP, tile_hw[1] * OVERLAP)
    return [
        Window(Place(slice(row, row + tile_hw[0]), slice(column, column + tile_hw[1]), size_hw), ramps)
        for row in rows
        for column in columns
    ]


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin, evenly spread from one end to the other."""
    if length <= tile:
        return [0]
    count = 1 + math.ceil((length - tile) / max(1.0, tile * (1 - OVERLAP)))
    return [round(k * (length - tile) / (count - 1)) for k in range(count)]
