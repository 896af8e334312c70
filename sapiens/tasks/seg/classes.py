"""The 29 body parts: names, colours, mirror partners, training weights, and how older label sets map to them.

Left and right are the person's own. Index 0 is the background; every other index belongs to the person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.drawing.palette import ColourRGB
from sapiens.errors import UnknownNameError

_TABLE: dict[str, Any] = json.loads(files(__package__).joinpath("seg29.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Part:
    """One class.

    Attributes:
        index: its label.
        name: e.g. "Left_Foot".
        colour_rgb: its colour in pictures.
        swap_index: its label after the picture is mirrored.
        loss_weight: its weight in the cross-entropy of the released models.
    """

    index: int
    name: str
    colour_rgb: ColourRGB
    swap_index: int
    loss_weight: float


PARTS: tuple[Part, ...] = tuple(
    Part(index, name, (red, green, blue), swap_index, float(weight))
    for index, (name, (red, green, blue), swap_index, weight) in enumerate(_TABLE["classes"])
)
NAMES: tuple[str, ...] = tuple(part.name for part in PARTS)
SWAP_INDEX: tuple[int, ...] = tuple(part.swap_index for part in PARTS)
LOSS_WEIGHTS: tuple[float, ...] = tuple(part.loss_weight for part in PARTS)
IGNORE_INDEX: int = _TABLE["ignore_index"]
"""Label of pixels that neither training nor evaluation counts."""
LABEL_SETS: tuple[str, ...] = tuple(_TABLE["mappings"])
"""Older label sets that `mapping_from` knows."""


@cache
def palette_rgb() -> npt.NDArray[np.uint8]:
    """(256, 3) uint8: the 29 colours, then black, so that every 8-bit label has one. Read-only."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(PARTS)] = [part.colour_rgb for part in PARTS]
    palette.flags.writeable = False
    return palette


@cache
def mapping_from(label_set: str) -> npt.NDArray[np.uint8]:
    """(256,) uint8: what each label of an older set becomes; `IGNORE_INDEX` where none of the 29 fits. Read-only.

    Use it as an index: `mapping_from("dome34")[labels]`.

    Raises:
        UnknownNameError: not one of `LABEL_SETS`.
    """
    if label_set not in LABEL_SETS:
        raise UnknownNameError("label set", label_set, LABEL_SETS)
    mapping = np.full(256, IGNORE_INDEX, np.uint8)
    for source, (_, target) in enumerate(_TABLE["mappings"][label_set]):
        mapping[source] = IGNORE_INDEX if target is None else target
    mapping.flags.writeable = False
    return mapping


def part_index(name: str) -> int:
    """Label of a part by its name, in any case.

    Raises:
        UnknownNameError: names the nearest part.
    """
    by_lower = {known.lower(): index for index, known in enumerate(NAMES)}
    if name.lower() not in by_lower:
        raise UnknownNameError("part", name, by_lower)
    return by_lower[name.lower()]
