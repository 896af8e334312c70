"""The format "labels": pictures of classes, as PNG of 8 or 16 bits or with a palette, or npy, through a class map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.datasets.files import ARRAYS, PICTURES, read_numbers
from sapiens.datasets.json_files import read_json
from sapiens.datasets.records import IMAGE, Record, Records, Role, open_records
from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.read import read_image
from sapiens.imaging.sample import UNKNOWN_LABEL, Sample
from sapiens.tasks.names import get_names

ROLES = (IMAGE, Role("labels", ("labels", "masks", "seg"), PICTURES + ARRAYS))
LARGEST = 65535
IGNORED = ("ignore", "unknown", "")
ALIASES = {"34": "dome34", "52": "dome52", "33": "internal32"}
"""The released source sets by their number of classes."""


@dataclass(frozen=True)
class LabelOptions:
    """What a spec may set.

    Attributes:
        map: a JSON file, source class -> class (number or name), or the name of a released label set; "": classes are
            the task's own. A class that the map does not name becomes unknown (255).
        image, labels: folders of these files; "": the usual names.
        in_the_wild: pictures keep their own background when training replaces backgrounds.
    """

    map: str = ""
    image: str = ""
    labels: str = ""
    in_the_wild: bool = False


OPTIONS = LabelOptions


def open_format(path: Path, options: LabelOptions, task: str) -> Records:
    """Pictures with their classes.

    Raises:
        InputError: nothing usable there, or a class map that is none.
    """
    table = class_table(options.map, path) if options.map else None
    build = partial(read_labels, table=table, in_the_wild=options.in_the_wild)
    return open_records(path, ROLES, build, {"image": options.image, "labels": options.labels})


def read_labels(record: Record, table: npt.NDArray[np.uint8] | None, in_the_wild: bool = False) -> Sample:
    """A picture with its classes.

    Raises:
        InputError: a file that cannot be used, a colour picture, or a class out of range.
    """
    image = read_image(record.files["image"])
    path = record.files["labels"]
    labels = to_classes(read_numbers(path, ("labels", "seg")), table, str(path))
    extra = {"in_the_wild": int(bool(record.values.get("in_the_wild", in_the_wild)))}
    return Sample(image, record.name, {"labels": labels}, extra)


def to_classes(values: npt.NDArray[Any], table: npt.NDArray[np.uint8] | None, name: str) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 classes from stored numbers.

    Args:
        values: integers (H, W), or (H, W, C) with equal channels.
        table: what each stored number becomes; None: they are the task's classes and 255.
        name: for errors.

    Raises:
        InputError: no integers, channels that differ, or a class out of range.
    """
    if values.ndim == 3:
        if (values[..., :3] != values[..., :1]).any():
            raise InputError(f"{name}: a colour picture; expected the number of a class in each pixel")
        values = values[..., 0]
    if values.dtype.kind not in "bui":
        raise InputError(f"{name}: {values.dtype} values; expected whole numbers")
    if values.dtype.kind != "u" and int(values.min()) < 0:
        raise InputError(f"{name}: class {int(values.min())} is negative")
    if int(values.max()) > LARGEST:
        raise InputError(f"{name}: class {int(values.max())} is above {LARGEST}")
    if table is not None:
        return table[values.astype(np.intp)]
    count = len(get_names("seg")["labels"])
    wrong = (values >= count) & (values != UNKNOWN_LABEL)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise InputError(
            f"{name}: class {int(values[row, column])} at row {row}, column {column}; expected 0..{count - 1}, or 255 "
            "for unknown (for other numbers, option map=FILE.json)"
        )
    return values.astype(np.uint8)


def class_table(given: str, path: Path) -> npt.NDArray[np.uint8]:
    """(65536,) uint8: what every stored number becomes; 255 where the map says nothing.

    Args:
        given: name of a released label set, or a JSON file, looked for here and beside the data.
        path: of the data.

    Raises:
        InputError: no such file, or not a map; all that is wrong with it at once.
    """
    table = np.full(LARGEST + 1, UNKNOWN_LABEL, np.uint8)
    sets = {name: values for name, values in get_names("seg").items() if name != "labels"}
    name = ALIASES.get(given, given)
    if name in sets:
        pairs: Mapping[Any, Any] = dict(enumerate(sets[name]))
    else:
        home = path if path.is_dir() else path.parent
        file = next((f for f in (Path(given).expanduser(), home / given) if f.is_file()), None)
        if file is None:
            raise UnknownNameError("class map: no such file or label set", given, sets)
        content = read_json(file)
        pairs = dict(enumerate(content)) if isinstance(content, list) else content
        if not isinstance(pairs, dict) or not pairs:
            raise InputError(f'{file}: expected {{"source class": class, ...}} or a list of classes')
    wrong = []
    for source, target in pairs.items():
        try:
            table[_source(source)] = _target(target)
        except InputError as error:
            wrong.append(f"{source} -> {target}: {error.message}")
    if wrong:
        raise InputError(f"{given}: {'; '.join(wrong)}")
    return table


def _source(text: Any) -> int:
    if not str(text).isdigit() or int(text) > LARGEST:
        raise InputError(f"expected a class from 0 to {LARGEST} on the left")
    return int(text)


def _target(value: Any) -> int:
    names = [str(name) for name in get_names("seg")["labels"]]
    if value is None or (isinstance(value, str) and value.lower() in IGNORED) or value == UNKNOWN_LABEL:
        return UNKNOWN_LABEL
    if isinstance(value, str) and not value.isdigit():
        by_lower = {name.lower(): index for index, name in enumerate(names)}
        if value.lower() not in by_lower:
            raise UnknownNameError("class", value, names)
        return by_lower[value.lower()]
    if isinstance(value, bool) or not isinstance(value, int | str) or not 0 <= int(value) < len(names):
        raise InputError(f"expected a class 0..{len(names) - 1}, 255, or a name")
    return int(value)
