"""How parts of a picture are pieced together: unit vectors are averaged and get unit length again."""

from __future__ import annotations

from torch import Tensor

from sapiens.tasks.base import Prepared, Raw, Setup
from sapiens.tasks.normal.process import unit_length
from sapiens.tasks.pieces import Pieces


def field(raw: Raw, prepared: Prepared, setup: Setup) -> Tensor:
    """Raw vectors (1, 3, h, w) -> unit vectors (3, h, w) without padding."""
    cut: Tensor = prepared.geometry.cut(unit_length(raw["normals"]))[0]
    return cut


PIECES = Pieces(arrays=("normals",), field=field, raw=lambda normals: {"normals": normals}, low_from_whole=True)
