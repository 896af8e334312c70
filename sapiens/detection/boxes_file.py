"""Person boxes from a JSON file: by file name, or in the two COCO formats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sapiens.detection.boxes import Boxes, box_problem
from sapiens.errors import InputError

PERSON_ID = 1
"""COCO's category number of people, for files that name no categories."""
SHOWN = 20
"""Problems written out in an error; the others are counted."""
FORMS = 'known forms: {"name.jpg": [[x1, y1, x2, y2, score], ...]}, a COCO annotation file, a COCO list of results'


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Boxes by picture.

    Attributes:
        path: the file they are from.
        boxes: name or number of a picture -> (N, 5) float32 x1, y1, x2, y2, score, in the file's order. With N = 0 the
            file says that nobody is there.
    """

    path: Path
    boxes: Mapping[str, Boxes]
    _asked: dict[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.boxes)

    def lookup(self, picture: str) -> Boxes | None:
        """The boxes of a picture, or None where the file does not mention it.

        A name in the file belongs to a picture when one ends with the other, folder by folder: "x.jpg" and "a/x.jpg"
        both belong to "clips/a/x.jpg", and of two such names the longer one counts. A number, as in COCO results,
        belongs to the picture whose name is that number: 139 to "139.jpg" or "000000000139.jpg".

        Args:
            picture: path or name of the picture.

        Raises:
            InputError: two names fit equally well, or one name fits two of the pictures asked for.
        """
        parts = _parts(picture)
        fits: dict[str, int] = {}
        for key in self._candidates(parts[-1]):
            length = min(len(parts), len(_parts(key)))
            if key.isdecimal() or _parts(key)[-length:] == parts[-length:]:
                fits[key] = length
        if not fits:
            return None
        best = [key for key, length in fits.items() if length == max(fits.values())]
        hint = "write the names in the file with their folders"
        if len(best) > 1:
            raise InputError(f"{self.path}: {' and '.join(best)} both fit the picture {picture}", hint)
        first = self._asked.setdefault(best[0], picture)
        if first != picture:
            raise InputError(f"{self.path}: the boxes of {best[0]} fit both {first} and {picture}", hint)
        return self.boxes[best[0]]

    def _candidates(self, basename: str) -> list[str]:
        stem = PurePosixPath(basename).stem
        number = [str(int(stem))] if stem.isdecimal() and str(int(stem)) in self.boxes else []
        return self._by_basename.get(basename, []) + number

    @cached_property
    def _by_basename(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for key in self.boxes:
            index.setdefault(_parts(key)[-1], []).append(key)
        return index


@dataclass(frozen=True)
class _Record:
    """One box as it stands in the file: its picture, what to call it in errors, x1, y1, x2, y2[, score]."""

    picture: str
    where: str
    row: Any


def load_boxes(path: str | Path) -> BoxTable:
    """Read person boxes.

    Three forms are known: {"name.jpg": [[x1, y1, x2, y2(, score)], ...]}, in pixels; a COCO annotation file, of which
    the category "person" is taken and crowds are left out; a COCO list of results, of which category 1 is taken. A box
    without a score has score 1.

    Raises:
        InputError: not such a file; boxes that are no boxes are listed by record.
    """
    path = Path(path)
    content = _read(path)
    try:
        if isinstance(content, list):
            return _collect(path, (), _from_results(content))
        if "annotations" in content:
            return _collect(path, _file_names(content).values(), _from_coco(content))
        return _collect(path, content, _from_names(content))
    except (KeyError, TypeError, AttributeError) as error:
        what = f"without {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: a record that is not as expected: {what}", FORMS) from error


def _read(path: Path) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as boxes ({error})", FORMS) from error
    if not isinstance(content, dict | list):
        raise InputError(f"{path}: expected a JSON object or list, got {type(content).__name__}", FORMS)
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return table


def _from_names(content: dict[str, Any]) -> Iterator[_Record]:
    for picture, rows in content.items():
        if not isinstance(rows, list):
            yield _Record(picture, picture, rows)
            continue
        for index, row in enumerate(rows):
            yield _Record(picture, f"{picture}, box {index}", row)


def _from_coco(content: dict[str, Any]) -> Iterator[_Record]:
    categories = content.get("categories")
    person_ids = {PERSON_ID} if not categories else {c["id"] for c in categories if c["name"].lower() == "person"}
    names = _file_names(content)
    for index, record in enumerate(content["annotations"]):
        if record["category_id"] in person_ids and not record.get("iscrowd"):
            where = f"annotation {record.get('id', index)}"
            if record["image_id"] not in names:
                yield _Record("", where, f"image_id {record['image_id']}, which is not among the images")
                continue
            yield _Record(names[record["image_id"]], where, _corners(record))


def _from_results(content: list[Any]) -> Iterator[_Record]:
    for index, record in enumerate(content):
        if record["category_id"] == PERSON_ID:
            yield _Record(str(record["image_id"]), f"record {index}", _corners(record))


def _file_names(content: dict[str, Any]) -> dict[Any, str]:
    return {image["id"]: image["file_name"] for image in content["images"]}


def _corners(record: dict[str, Any]) -> Any:
    """COCO's x, y, width, height and score as one row; what is no box is left for the check to tell."""
    box = record["bbox"]
    if not _is_row(box) or len(box) != 4:
        return box
    x, y, width, height = box
    return [x, y, x + width, y + height, record.get("score", 1.0)]


def _collect(path: Path, pictures: Iterable[str], records: Iterable[_Record]) -> BoxTable:
    rows: dict[str, list[list[float]]] = {picture: [] for picture in pictures}
    problems = []
    for record in records:
        problem = _problem(record.row)
        if problem:
            problems.append(f"{record.where} {problem}")
        else:
            rows.setdefault(record.picture, []).append([*record.row, 1.0][:5])
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        count = f"{len(problems)} boxes are" if len(problems) > 1 else "a box is"
        raise InputError(f"{path}: {count} not usable: {'; '.join(problems[:SHOWN])}{more}", FORMS)
    return BoxTable(path, {name: np.array(boxes, np.float32).reshape(-1, 5) for name, boxes in rows.items()})


def _problem(row: Any) -> str | None:
    if isinstance(row, str):
        return f"has {row}"
    if not _is_row(row):
        return f"is not x1, y1, x2, y2 with or without a score: {json.dumps(row)[:60]}"
    problem = box_problem(np.array(row, np.float64))
    return f"{problem} ({', '.join(f'{value:g}' for value in row)})" if problem else None


def _is_row(row: Any) -> bool:
    numbers = isinstance(row, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
    return numbers and len(row) in (4, 5)


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts or ("",)
