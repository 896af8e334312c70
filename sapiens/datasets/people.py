"""From a person's points as annotated to a sample in the layout that the task learns.

The rules are those of the released training: a point on or beyond the picture's edge is unknown, unknown points lie at
(0, 0), and a box is clipped to the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import Sample
from sapiens.tasks.names import get_names

Points = npt.NDArray[np.float32]
Places = tuple[int, ...]
"""For each point of a layout its place in the task's own list, or -1."""


@dataclass(frozen=True, eq=False)
class Person:
    """One annotated person, before its picture is opened.

    Attributes:
        name: of the record.
        image: the picture's file.
        blocks: points (K, 3) x, y, visibility, each with their places; where two know one point, the first counts.
        box_xyxy: the annotated box, pixels; None: the one that the points span.
        size_hw: of the picture by the annotation file, None: not said.
        extra: numbers and texts for the sample.
    """

    name: str
    image: Path
    blocks: Sequence[tuple[Points, Places]]
    box_xyxy: tuple[float, float, float, float] | None = None
    size_hw: tuple[int, int] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@cache
def places(layout: str) -> Places:
    """Where the points of a layout go; see `sapiens.tasks.names`."""
    own = {name: index for index, name in enumerate(get_names("pose")["keypoints"])}
    return tuple(-1 if name is None else own[name] for name in get_names("pose")[layout])


def places_of(names: Sequence[Any]) -> Places:
    """Where points with these names go."""
    own = {name: index for index, name in enumerate(get_names("pose")["keypoints"])}
    return tuple(own.get(name, -1) for name in names)


def as_points(values: Any, count: int | None = None) -> Points:
    """(K, 3) from [x, y, v, x, y, v, ...] or [[x, y, v], ...]; rows of two are seen points.

    Visibility is 0 unknown, 1 hidden, 2 seen; any other positive number is a confidence and counts as seen.

    Raises:
        InputError: other shapes, things that are no numbers, NaN or infinity.
    """
    expected = "x, y, visibility of every point" if count is None else f"x, y, visibility of {count} points"
    try:
        array = np.asarray(values, np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"keypoints that are no numbers; expected {expected}") from error
    if array.ndim == 2 and array.shape[1] == 2:
        array = np.concatenate([array, np.full((len(array), 1), 2.0)], 1)
    if array.ndim == 1 and array.size % 3 == 0:
        array = array.reshape(-1, 3)
    if array.ndim != 2 or array.shape[1] != 3 or (count is not None and len(array) != count):
        raise InputError(f"keypoints of shape {array.shape}; expected {expected}")
    if not np.isfinite(array).all():
        raise InputError("a keypoint is NaN or infinite")
    seen = array[:, 2]
    array[:, 2] = np.where(seen <= 0, 0, np.where(seen == 1, 1, 2))
    return array.astype(np.float32)


def as_box(values: Any, order: str) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 from a JSON list in that order or in the order "xywh".

    Raises:
        InputError: not four finite numbers, or no area.
    """
    try:
        box = np.asarray(values, np.float64)
    except (ValueError, TypeError):
        box = np.zeros(0)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise InputError(f"box {values!r}; expected four finite numbers, {order}")
    if order == "xywh":
        box[2:] += box[:2]
    x0, y0, x1, y1 = box.tolist()
    if not (x1 > x0 and y1 > y0):
        raise InputError(f"box {values!r} has no area; expected {order}")
    return x0, y0, x1, y1


def gather(blocks: Sequence[tuple[Points, Places]]) -> Points:
    """(308, 3): each known point at its place; unknown everywhere else."""
    gathered = np.zeros((len(get_names("pose")["keypoints"]), 3), np.float32)
    for points, where in blocks:
        for point, place in zip(points, where, strict=True):
            if place >= 0 and point[2] > 0 and gathered[place, 2] == 0:
                gathered[place] = point
    return gathered


def read_person(person: Person) -> Sample:
    """Open the picture and apply the rules.

    Raises:
        InputError: a picture that cannot be used or has another size than the file says, no known point within it, or
            no box to be had.
    """
    image = read_image(person.image)
    height, width = image.shape[:2]
    said = person.size_hw
    if said is not None and said != (height, width):
        raise InputError(f"{person.image}: {width}x{height} pixels, the annotation says {said[1]}x{said[0]}")
    points = gather(person.blocks)
    x, y = points[:, 0], points[:, 1]
    points[(x <= 0) | (x >= width) | (y <= 0) | (y >= height) | (points[:, 2] == 0)] = 0
    known = points[points[:, 2] > 0, :2]
    if not len(known):
        raise InputError(f"{person.image}: no labelled keypoint within the picture")
    box = np.array(person.box_xyxy or (*known.min(0), *known.max(0)), np.float32)
    box = np.clip(box, 0, np.array([width, height, width, height], np.float32))
    extent = box[2:] - box[:2]
    if extent.min() <= 0:
        raise InputError(f"{person.image}: the person's box has no area within the picture")
    extra = {"box_xyxy": box, "area": float(extent[0]) * float(extent[1]), "iscrowd": 0, **person.extra}
    return Sample(image, person.name, {"keypoints": points}, extra)
