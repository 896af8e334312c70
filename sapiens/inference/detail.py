"""How closely a picture is looked at: as a whole, with a crop for every person, or in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.frame import Frame
from sapiens.inference.collage import Collage, in_order
from sapiens.inference.crops import crop_windows
from sapiens.inference.item import Item
from sapiens.inference.tiles import tile_windows
from sapiens.inference.windows import Window
from sapiens.tasks.base import Prepared, Setup, Task
from sapiens.tasks.pieces import get_pieces

Detail = Literal["whole", "people", "tiles"]
_WORDS = {"people": "crops of people", "tiles": "tiles"}


def check_detail(task: Task, setup: Setup, detail: str) -> Detail:
    """The name of a way to look, if the task knows it.

    Raises:
        UnknownNameError: no such way.
        InputError: the task cannot be pieced together, or is to give the original's numbers.
    """
    if detail == "whole":
        return "whole"
    if detail not in get_args(Detail):
        raise UnknownNameError("detail", detail, get_args(Detail))
    if task.top_down:
        raise InputError(
            f"{task.name} looks at every person closely already: {_WORDS[detail]} are for seg, normal, pointmap, "
            "matting and albedo"
        )
    if get_pieces(task.name) is None:
        raise InputError(f"{task.name} cannot be pieced together from {_WORDS[detail]}")
    if setup.compat == "reference":
        raise InputError(f"{_WORDS[detail]} are not the original's: expected compat='default', got 'reference'")
    return "people" if detail == "people" else "tiles"


def prepare_detail(item: Item, task: Task, setup: Setup, detail: Detail) -> list[Prepared]:
    """The network inputs of a picture: the whole of it, then its pieces; sets `item.collage` if there are any."""
    frame = item.take()
    windows = in_order(_windows(item, setup, detail), frame.size_hw)
    pieces = get_pieces(task.name) if windows else None
    if pieces is not None:
        item.collage = Collage(task, setup, pieces, frame, windows, tiles=detail == "tiles")
    inputs = task.preprocess(frame, None, setup)
    for part in _parts(frame, windows):
        inputs += task.preprocess(part, None, setup)
    return inputs


def _windows(item: Item, setup: Setup, detail: Detail) -> list[Window]:
    if detail == "tiles":
        return tile_windows(item.take().size_hw, setup.input_hw)
    assert item.crops is not None, "crops of people need a step that finds them"
    return crop_windows(item.crops, item.take().size_hw, setup.input_hw)


def _parts(frame: Frame, windows: Sequence[Window]) -> list[Frame]:
    return [Frame(np.ascontiguousarray(frame.image[w.place.rows, w.place.columns]), frame.id) for w in windows]
