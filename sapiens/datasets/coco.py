"""The format "coco": keypoints of COCO (17), COCO-WholeBody (133) and the released evaluation files (308).

An annotation's fields tell which points it has; points without a counterpart among the 308 are dropped, points that it
does not have are unknown. Other sets are placed by the names that the category lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sapiens.datasets.json_files import read_json
from sapiens.datasets.people import Person, Places, Points, as_box, as_points, places, places_of, read_person
from sapiens.datasets.reader import Problem, Reader, list_problems
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample

ALL_FIELD = "goliath_wholebody_kpts"
FIELDS: dict[str, dict[int, str]] = {
    ALL_FIELD: {308: "keypoints"},
    "keypoints": {17: "coco17", 133: "wholebody133", 308: "keypoints"},
    "foot_kpts": {6: "foot6"},
    "face_kpts": {68: "face68", 238: "face238"},
    "lefthand_kpts": {21: "left_hand21", 20: "left_hand20"},
    "righthand_kpts": {21: "right_hand21", 20: "right_hand20"},
}
"""Fields of an annotation: number of points -> their layout. The first wins where two know one point."""


@dataclass(frozen=True)
class CocoOptions:
    """What a spec may set.

    Attributes:
        images: folder of the pictures; "": looked for beside the JSON file, as COCO and most others lay them out.
        min_points: persons with fewer labelled points are left out.
    """

    images: str = ""
    min_points: int = 1


OPTIONS = CocoOptions


class Coco(Reader):
    """One sample per person of a COCO file; crowds, and people without points or box, are left out and counted."""

    def __init__(self, file: Path, people: Sequence[Person], problems: Sequence[Problem], notes: Sequence[str]) -> None:
        super().__init__(file, problems, notes)
        self.people = people

    def __len__(self) -> int:
        return len(self.people)

    def name(self, index: int) -> str:
        return f"annotation {self.people[index].extra['annotation_id']}"

    def files(self, index: int) -> Sequence[Path]:
        return (self.people[index].image,)

    def read(self, index: int) -> Sample:
        return read_person(self.people[index])


def open_format(path: Path, options: CocoOptions, task: str) -> Coco:
    """Read the file's lists; pictures are opened when asked for.

    Raises:
        InputError: no such file, not COCO, or nobody in it.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in ("images", "annotations")):
        raise InputError(f"{path}: expected COCO keypoints: an object with the lists 'images' and 'annotations'")
    problems: list[Problem] = []
    images = _images(path, content["images"], problems)
    folder = _picture_folder(path, options.images, [image["file_name"] for image in images.values()])
    categories = [c for c in content.get("categories") or [] if isinstance(c, dict)]
    names = {_key(c.get("id")): c.get("keypoints") for c in categories}
    people, left_out = [], Counter[str]()
    for number, annotation in enumerate(content["annotations"]):
        try:
            person = _person(annotation, images, folder, names, options)
        except InputError as error:
            which = annotation.get("id", f"number {number}") if isinstance(annotation, dict) else f"number {number}"
            problems.append(Problem(str(path), f"annotation {which}", error.message))
            continue
        if isinstance(person, str):
            left_out[person] += 1
        else:
            people.append(person)
    notes = [f"{count} {why} left out" for why, count in left_out.items()]
    if not people:
        raise InputError(
            f"{path}: no usable person ({'; '.join(notes) or 'no annotations'})\n{list_problems(problems)}".strip()
        )
    return Coco(path, people, problems, notes)


def _images(path: Path, entries: Sequence[Any], problems: list[Problem]) -> dict[Any, Mapping[str, Any]]:
    images: dict[Any, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or _key(entry.get("id")) is None or not isinstance(entry.get("file_name"), str):
            problems.append(Problem(str(path), f"image number {number}", "expected an object with id and file_name"))
        elif entry["id"] in images:
            problems.append(Problem(str(path), f"image {entry['id']}", "appears twice"))
        else:
            images[entry["id"]] = entry
    return images


def _picture_folder(path: Path, given: str, names: Sequence[str]) -> Path:
    """The given folder, or the first near the file that holds one of the pictures."""
    here = path.parent
    if given:
        chosen = Path(given).expanduser()
        inside = [folder for folder in (chosen, here / given) if folder.is_dir()]
        if not inside:
            raise InputError(f"{path}: no folder {given} for its pictures, neither here nor beside the file")
        return inside[0]
    split = path.stem.rpartition("_")[2]
    for folder in (here, here / "images", here / split, here.parent / split, here.parent / "images", here.parent):
        if any((folder / name).is_file() for name in names[:50]):
            return folder
    return here


def _person(
    annotation: Any,
    images: Mapping[Any, Mapping[str, Any]],
    folder: Path,
    names: Mapping[Any, Any],
    options: CocoOptions,
) -> Person | str:
    """A person, or why it is left out without being a problem.

    Raises:
        InputError: an annotation that is not as it should be.
    """
    if not isinstance(annotation, dict):
        raise InputError(f"expected an object, got {type(annotation).__name__}")
    if annotation.get("iscrowd"):
        return "crowds"
    if annotation.get("num_keypoints") == 0:
        return "people without a labelled keypoint"
    image = images.get(_key(annotation.get("image_id")))
    if image is None:
        raise InputError(f"image_id {annotation.get('image_id')!r} is not among the images")
    blocks = _blocks(annotation, names.get(_key(annotation.get("category_id"))))
    labelled = sum(int((points[:, 2] > 0).sum()) for points, _ in blocks)
    if labelled < max(1, options.min_points):
        few = "without a labelled keypoint" if labelled == 0 else f"with fewer than {options.min_points} points"
        return f"people {few}"
    box = annotation.get("bbox")
    if isinstance(box, list) and len(box) == 4 and 0 in box[2:]:
        return "people with an empty box"
    own = _key(annotation.get("id"))
    extra = {"image_id": image["id"], "annotation_id": -1 if own is None else own}
    if isinstance(annotation.get("area"), int | float):
        extra["area"] = float(annotation["area"])
    return Person(
        f"{image['file_name']}#{extra['annotation_id']}",
        folder / image["file_name"],
        blocks,
        None if box is None else as_box(box, "xywh"),
        _size(image),
        extra,
    )


def _key(value: Any) -> int | str | None:
    """An id, or None for what cannot be one."""
    return value if isinstance(value, int | str) else None


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _blocks(annotation: Mapping[str, Any], names: Any) -> list[tuple[Points, Places]]:
    blocks = []
    for field, layouts in FIELDS.items():
        # COCO-WholeBody says which parts were annotated at all; the others hold zeros.
        if field not in annotation or annotation.get(field.replace("_kpts", "_valid")) is False:
            continue
        points = as_points(annotation[field])
        if len(points) in layouts:
            blocks.append((points, places(layouts[len(points)])))
        elif field == "keypoints" and isinstance(names, list) and len(names) == len(points):
            blocks.append((points, places_of(names)))
        else:
            expected = " or ".join(map(str, layouts))
            raise InputError(f"{field} has {len(points)} points; expected {expected}, or names in the category")
        if field == ALL_FIELD:
            break
    if not blocks:
        raise InputError(f"no keypoints; expected one of the fields {', '.join(FIELDS)}")
    return blocks
