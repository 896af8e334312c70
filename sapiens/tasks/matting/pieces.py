"""How parts of a picture are pieced together: alpha and premultiplied colours are averaged.

A tile that shows no person, or the inside of one, cannot be told from the other. So tiles count where the whole picture
is in two minds, along outlines and in hair, and not where it is sure.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens.tasks.base import Prepared, Raw, Setup
from sapiens.tasks.pieces import Pieces


def field(raw: Raw, prepared: Prepared, setup: Setup) -> Tensor:
    """Matte (1, 4 or 1, h, w) -> (4 or 1, h, w)."""
    return raw["matte"][0]


def unsure(matte: Tensor) -> Tensor:
    """Matte of the whole picture (4 or 1, h, w) -> (1, h, w): 1 next to alpha of a quarter to three quarters, 0 at
    alpha of 0 and 1."""
    alpha = matte[-1:].clamp(0, 1)
    return F.max_pool2d((4 * torch.minimum(alpha, 1 - alpha)).clamp(max=1), 3, stride=1, padding=1)


PIECES = Pieces(
    arrays=("alpha", "foreground"),
    field=field,
    raw=lambda matte: {"matte": matte},
    low_from_whole=True,
    tile_share=unsure,
)
