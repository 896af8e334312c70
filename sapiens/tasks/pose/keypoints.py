"""The 308 keypoints: names, mirror partners, parts, colours, OKS constants and the links drawn between them.

Left and right are the person's own. Points 0..14 are the body without the wrists, 15..20 the feet, 21..40 the right
hand and 41 its wrist, 42..61 the left hand and 62 its wrist, 63..69 elbows, acromions and neck, 70..307 the face.
Within a finger the order is tip ("4"), 3, 2, base ("third_joint").

Mirror partners follow the table, not the names: the inner-helix points 2 and 8 of the ears are cross-named, and
numbered points of eyelids, brows, lips, irises and pupils run in one image direction on both sides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from sapiens.drawing.palette import ColourRGB
from sapiens.drawing.skeleton import Link
from sapiens.errors import UnknownNameError

_TABLE: dict[str, Any] = json.loads(files(__package__).joinpath("keypoints308.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Keypoint:
    """One point.

    Attributes:
        index: its channel.
        name: e.g. "left_ankle".
        swap_index: the channel it becomes when the picture is mirrored.
        part: the evaluation group, one of `PARTS`.
        half: the half of the body it belongs to in half-body augmentation, None for neither.
        colour_rgb: its colour in pictures.
        sigma: its OKS constant.
        weight: its weight in the training loss.
    """

    index: int
    name: str
    swap_index: int
    part: str
    half: Literal["upper", "lower"] | None
    colour_rgb: ColourRGB
    sigma: float
    weight: float


def _colour(values: list[int]) -> ColourRGB:
    red, green, blue = values
    return red, green, blue


def _links(rows: list[Any]) -> tuple[Link, ...]:
    return tuple(Link(start, end, _colour(colour)) for start, end, colour in rows)


KEYPOINTS: tuple[Keypoint, ...] = tuple(
    Keypoint(index, name, swap_index, part, half, _colour(colour), sigma, weight)
    for index, (name, swap_index, part, half, colour, sigma, weight) in enumerate(_TABLE["keypoints"])
)
NAMES: tuple[str, ...] = tuple(point.name for point in KEYPOINTS)
SWAP_INDEX: tuple[int, ...] = tuple(point.swap_index for point in KEYPOINTS)
SIGMAS: tuple[float, ...] = tuple(point.sigma for point in KEYPOINTS)
WEIGHTS: tuple[float, ...] = tuple(point.weight for point in KEYPOINTS)
LINKS: tuple[Link, ...] = _links(_TABLE["links"])
"""Lines of the drawing, in the order in which they are drawn; the face has none."""

COCO17_NAMES: tuple[str, ...] = tuple(_TABLE["coco17"])
"""The 17 points of COCO in COCO's order; all are among `NAMES`."""
WHOLEBODY133_NAMES: tuple[str, ...] = tuple(name for name, _ in _TABLE["wholebody133"]["points"])
WHOLEBODY133_SIGMAS: tuple[float, ...] = tuple(sigma for _, sigma in _TABLE["wholebody133"]["points"])
WHOLEBODY133_LINKS: tuple[Link, ...] = _links(_TABLE["wholebody133"]["links"])

_INDEX = {name: index for index, name in enumerate(NAMES)}


def keypoint_index(name: str) -> int:
    """Channel of a point by its name.

    Raises:
        UnknownNameError: names the nearest point.
    """
    if name not in _INDEX:
        raise UnknownNameError("keypoint", name, NAMES)
    return _INDEX[name]


PARTS: dict[str, tuple[int, ...]] = {
    part: tuple(point.index for point in KEYPOINTS if point.part == part)
    for part in dict.fromkeys(point.part for point in KEYPOINTS)
}
"""Channels of the evaluation groups "body", "foot", "right_hand", "left_hand", "extra" and "face", ascending."""
# Body points are evaluated and exported in COCO's order, where the wrists come before the hips.
PARTS["body"] = tuple(keypoint_index(name) for name in COCO17_NAMES)
UPPER_BODY: tuple[int, ...] = tuple(point.index for point in KEYPOINTS if point.half == "upper")
LOWER_BODY: tuple[int, ...] = tuple(point.index for point in KEYPOINTS if point.half == "lower")
