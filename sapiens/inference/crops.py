"""Crops of people: where a network input is cut for each person, and boxes that keep still while a person does."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sapiens.inference.item import Item, Step
from sapiens.inference.windows import Window
from sapiens.tasks.base import People
from sapiens.tasks.pieces import Place

PADDING = 1.4
"""Factor on the longer side of a person's box; the rim that it adds lies on all four sides, and over it the crop fades
into the whole picture."""
GAIN = (1.1, 1.5)
"""A crop that enlarges the person less than the first, against the whole picture, is left out; from the second on it
counts in full. In between it fades, so that nothing jumps when somebody walks up to the camera."""
SLACK = 0.08
"""Of the box's longer side: an edge that strays less than this from where the crop was cut does not move it."""
SETTLED = 0.01
"""Likewise: how near an edge that moves comes to its aim before it rests again."""
GLIDE_S = 0.15
"""Time constant with which an edge follows."""
FADE_S = 0.25
"""How long somebody who comes into a clip, or is lost, takes to fade in or out."""
_KEPT_INSIDE = 0.02
"""Of the longer side: a person never comes nearer to the crop's edge than this, however fast."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Padded boxes of a picture's people, and how much each counts.

    Attributes:
        boxes_xyxy: (N, 4) float64, pixels of the picture; may reach beyond it.
        strengths: (N,) 0..1.
    """

    boxes_xyxy: npt.NDArray[np.float64]
    strengths: npt.NDArray[np.float64]


@dataclass(eq=False)
class _Held:
    """One person's crop through a clip."""

    box: npt.NDArray[np.float64]
    moving: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(4, bool))
    strength: float = 1.0


class CropFinder:
    """Sets `item.crops` from the people that a step finds; call it in order.

    In clips the crops are held: an edge rests until the person has strayed from it by `SLACK`, then glides. People who
    come and go fade.

    Args:
        find: sets `people` on an item.
    """

    def __init__(self, find: Step) -> None:
        self._find = find
        self._clip: object = None
        self._held: dict[int, _Held] = {}
        self._time_s: float | None = None

    def __call__(self, item: Item) -> None:
        """Set `item.people` and `item.crops`."""
        self._find(item)
        assert item.people is not None
        if item.source.clip is None or item.people.ids is None:
            item.crops = crops_of(item.people)
            return
        item.crops = self._steady(item.people, item.people.ids, item)

    def _steady(self, people: People, ids: npt.NDArray[np.int32], item: Item) -> Crops:
        time_s, first = item.take().time_s, item.source.clip is not self._clip
        if first:
            self._clip, self._held, self._time_s = item.source.clip, {}, None
        step_s = max(0.0, (time_s or 0.0) - self._time_s) if self._time_s is not None else math.inf
        self._time_s = time_s or 0.0
        wanted = dict(zip(ids.tolist(), padded(people.boxes_xyxy), strict=True))
        fade = min(1.0, step_s / FADE_S)
        for person, held in self._held.items():
            if person in wanted:
                follow(held.box, held.moving, wanted[person], 1 - math.exp(-step_s / GLIDE_S))
            held.strength = min(1.0, max(0.0, held.strength + (fade if person in wanted else -fade)))
        for person in wanted.keys() - self._held.keys():
            self._held[person] = _Held(wanted[person], strength=1.0 if first else fade)
        self._held = {person: held for person, held in self._held.items() if held.strength > 0}
        held_boxes = np.array([held.box for held in self._held.values()], np.float64).reshape(-1, 4)
        return Crops(held_boxes.copy(), np.array([held.strength for held in self._held.values()], np.float64))


def padded(boxes_xyxy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) with a rim."""
    boxes = boxes_xyxy.astype(np.float64)
    rim = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) * (PADDING - 1) / 2
    return np.concatenate([boxes[:, :2] - rim, boxes[:, 2:] + rim], 1)


def crops_of(people: People) -> Crops:
    """The crops of people in a picture by itself."""
    return Crops(padded(people.boxes_xyxy), np.ones(len(people)))


def follow(
    held: npt.NDArray[np.float64], moving: npt.NDArray[np.bool_], wanted: npt.NDArray[np.float64], share: float
) -> None:
    """Move a held box (4,) towards the wanted one, in place; edges near enough rest.

    Args:
        held, wanted: padded boxes xyxy.
        moving: (4,) whether an edge is on its way, kept between calls.
        share: of the way to the aim, 0..1.
    """
    side = max(wanted[2] - wanted[0], wanted[3] - wanted[1])
    off = np.abs(wanted - held)
    moving[:] = np.where(moving, off > SETTLED * side, off > SLACK * side)
    held += np.where(moving, share, 0.0) * (wanted - held)
    # Whatever the glide, the person itself stays inside.
    spare = ((1 - 1 / PADDING) / 2 - _KEPT_INSIDE) * side
    held[:2] = np.minimum(held[:2], wanted[:2] + spare)
    held[2:] = np.maximum(held[2:], wanted[2:] - spare)


def crop_windows(crops: Crops, size_hw: tuple[int, int], input_hw: tuple[int, int]) -> list[Window]:
    """Where the network's inputs are cut for the people of a picture; nothing for those whom it would not enlarge.

    A crop has the input's aspect ratio and lies within the picture: at its edge it is moved inwards, not filled up.
    """
    windows = []
    for box, strength in zip(crops.boxes_xyxy, crops.strengths, strict=True):
        place = crop_place(box, size_hw, input_hw)
        if place is None:
            continue
        height, width = place.shape_hw
        whole = min(input_hw[0] / size_hw[0], input_hw[1] / size_hw[1])
        gain = min(input_hw[0] / height, input_hw[1] / width) / whole
        counts = float(np.clip((gain - GAIN[0]) / (GAIN[1] - GAIN[0]), 0, 1) * strength)
        if counts > 0:
            rim = (1 - 1 / PADDING) / 2
            x1, y1, x2, y2 = (float(v) for v in box)
            windows.append(Window(place, (rim * height, rim * width), counts, (x1, y1, x2, y2)))
    return windows


def crop_place(box_xyxy: npt.NDArray[np.float64], size_hw: tuple[int, int], input_hw: tuple[int, int]) -> Place | None:
    """The rectangle for a padded box: at the input's aspect ratio, in whole pixels, moved into the picture.

    None for a box that shows nothing of the picture.
    """
    x1, y1, x2, y2 = box_xyxy
    if x2 <= 0 or y2 <= 0 or x1 >= size_hw[1] or y1 >= size_hw[0]:
        return None
    # What is beyond the picture needs no pixels of the input.
    x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(size_hw[1])), min(y2, float(size_hw[0]))
    aspect = input_hw[1] / input_hw[0]
    height = max(y2 - y1, (x2 - x1) / aspect)
    rows = _inside((y1 + y2) / 2, height, size_hw[0])
    columns = _inside((x1 + x2) / 2, height * aspect, size_hw[1])
    return Place(rows, columns, size_hw)


def _inside(middle: float, length: float, picture: int) -> slice:
    """A stretch of whole pixels around a middle, moved into 0..picture, shortened if it is longer."""
    pixels = min(max(1, round(length)), picture)
    start = min(max(0, round(middle - pixels / 2)), picture - pixels)
    return slice(start, start + pixels)
