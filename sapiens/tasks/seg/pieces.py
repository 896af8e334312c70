"""How parts of a picture are pieced together: logits are averaged, so that a sure piece outweighs an unsure one."""

from __future__ import annotations

from torch import Tensor

from sapiens.tasks.base import Prepared, Raw, Setup
from sapiens.tasks.pieces import Pieces, evenly


def field(raw: Raw, prepared: Prepared, setup: Setup) -> Tensor:
    """Logits (1, 29, h, w) -> (29, h, w)."""
    return raw["logits"][0]


PIECES = Pieces(
    arrays=("labels", "probabilities"), field=field, raw=lambda logits: {"logits": logits}, tile_share=evenly(0.5)
)
