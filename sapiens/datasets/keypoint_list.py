"""The format "keypoints": a JSON list (or JSON lines) of people, points by name or all 308 in order.

[{"image": "images/0001.jpg", "keypoints": {"nose": [312.5, 88, 2], "left_eye": [320, 80, 1]}}, ...]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sapiens.datasets.json_files import read_list
from sapiens.datasets.people import Person, Places, Points, as_box, as_points, places, places_of, read_person
from sapiens.datasets.reader import Problem, Reader, list_problems
from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.sample import Sample
from sapiens.tasks.names import get_names


@dataclass(frozen=True)
class ListOptions:
    """What a spec may set.

    Attributes:
        images: folder that the pictures' paths start from; "": that of the list.
    """

    images: str = ""


OPTIONS = ListOptions


class KeypointList(Reader):
    """One sample per entry."""

    def __init__(self, file: Path, people: Sequence[Person], problems: Sequence[Problem]) -> None:
        super().__init__(file, problems)
        self.people = people

    def __len__(self) -> int:
        return len(self.people)

    def name(self, index: int) -> str:
        return f"record {self.people[index].extra['annotation_id']}"

    def files(self, index: int) -> Sequence[Path]:
        return (self.people[index].image,)

    def read(self, index: int) -> Sample:
        return read_person(self.people[index])


def open_format(path: Path, options: ListOptions, task: str) -> KeypointList:
    """Read the list; pictures are opened when asked for.

    Raises:
        InputError: no such list, or nobody in it.
    """
    folder = Path(options.images).expanduser() if options.images else path.parent
    people, problems = [], []
    for number, entry in enumerate(read_list(path)):
        try:
            people.append(_person(entry, number, folder))
        except InputError as error:
            problems.append(Problem(str(path), f"record {number}", error.message))
    if not people:
        raise InputError(f"{path}: no usable person\n{list_problems(problems)}")
    return KeypointList(path, people, problems)


def _person(entry: Any, number: int, folder: Path) -> Person:
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str) or "keypoints" not in entry:
        raise InputError('expected an object with "image" and "keypoints"')
    points = entry["keypoints"]
    block = _named(points) if isinstance(points, dict) else (as_points(points, 308), places("keypoints"))
    if not (block[0][:, 2] > 0).any():
        raise InputError("no labelled keypoint")
    own = entry.get("id", number)
    extra: dict[str, Any] = {"image_id": entry["image"], "annotation_id": own if isinstance(own, int) else str(own)}
    if isinstance(entry.get("area"), int | float):
        extra["area"] = float(entry["area"])
    box = entry.get("box")
    name = str(entry.get("id", f"{entry['image']}#{number}"))
    return Person(name, folder / entry["image"], [block], None if box is None else as_box(box, "xyxy"), None, extra)


def _named(points: Mapping[str, Any]) -> tuple[Points, Places]:
    own = [name for name in get_names("pose")["keypoints"] if name]
    rows = []
    for name, point in points.items():
        if name not in own:
            raise UnknownNameError("keypoint", name, own)
        if not isinstance(point, list) or len(point) not in (2, 3):
            raise InputError(f"{name} is {point!r}; expected [x, y] or [x, y, visibility]")
        rows.append([*point, 2][:3])
    return as_points(rows or np.zeros((0, 3))), places_of([*points])
