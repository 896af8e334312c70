"""How parts of a picture are pieced together: colours are averaged."""

from __future__ import annotations

from torch import Tensor

from sapiens.tasks.base import Prepared, Raw, Setup
from sapiens.tasks.pieces import Pieces


def field(raw: Raw, prepared: Prepared, setup: Setup) -> Tensor:
    """Albedo (1, 3, h, w), clamped to 0..1 -> (3, h, w) without padding."""
    cut: Tensor = prepared.geometry.cut(raw["albedo"].clamp(0, 1))[0]
    return cut


PIECES = Pieces(arrays=("albedo",), field=field, raw=lambda albedo: {"albedo": albedo}, low_from_whole=True)
