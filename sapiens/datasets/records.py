"""Dense annotations: a picture and the files that belong to it, found in folders by name or listed in JSON.

DIR/images/a/0001.jpg  with  DIR/labels/a/0001.png        folders: the same path below each, whatever the suffix
[{"image": "photos/1.jpg", "labels": "parts/1.png"}]      a list: paths relative to its own folder
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sapiens.datasets.json_files import read_list
from sapiens.datasets.reader import Problem, Reader, list_problems
from sapiens.errors import InputError
from sapiens.imaging.read import IMAGE_SUFFIXES
from sapiens.imaging.sample import Sample


@dataclass(frozen=True)
class Role:
    """A kind of file that a record has.

    Attributes:
        name: its key in a list.
        names: further keys, and the folders that are looked for, best first.
        suffixes: of its files, lower case.
        needed: a record without it is a problem.
    """

    name: str
    names: tuple[str, ...]
    suffixes: tuple[str, ...]
    needed: bool = True


IMAGE = Role("image", ("images", "image", "rgb"), IMAGE_SUFFIXES)


@dataclass(frozen=True)
class Record:
    """The files of one picture.

    Attributes:
        name: unique within its list.
        files: by role.
        values: everything else that the list says about it.
    """

    name: str
    files: Mapping[str, Path]
    values: Mapping[str, Any] = field(default_factory=dict)


class Records(Reader):
    """One sample per record.

    Args:
        file: the folder or list.
        records: what was found.
        build: record -> sample; raises InputError.
        problems: records that were left out.
    """

    def __init__(
        self,
        file: Path,
        records: Sequence[Record],
        build: Callable[[Record], Sample],
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(file, problems)
        self.records, self.build = records, build

    def __len__(self) -> int:
        return len(self.records)

    def name(self, index: int) -> str:
        return f"record {self.records[index].name}"

    def files(self, index: int) -> Sequence[Path]:
        return tuple(self.records[index].files.values())

    def read(self, index: int) -> Sample:
        return self.build(self.records[index])


def open_records(
    path: Path, roles: Sequence[Role], build: Callable[[Record], Sample], folders: Mapping[str, str] | None = None
) -> Records:
    """Records of a folder or of a list.

    Args:
        path: a folder with a folder for each role, or a .json or .jsonl list.
        roles: the files that a record has.
        build: record -> sample.
        folders: names of roles' folders that were given; "" where not.

    Raises:
        InputError: nothing usable there.
    """
    problems: list[Problem] = []
    if path.is_dir():
        records = _from_folders(path, roles, {k: v for k, v in (folders or {}).items() if v}, problems)
    else:
        records = _from_list(path, roles, problems)
    if not records:
        raise InputError(f"{path}: no usable record\n{list_problems(problems)}".strip())
    return Records(path, records, build, problems)


def _from_folders(root: Path, roles: Sequence[Role], given: Mapping[str, str], problems: list[Problem]) -> list[Record]:
    found: dict[str, dict[str, Path]] = {}
    for role in roles:
        names = (given[role.name],) if role.name in given else role.names
        folder = next((root / name for name in names if (root / name).is_dir()), None)
        if folder is None and (role.needed or role.name in given):
            expected = " or ".join(f"{name}/" for name in names)
            raise InputError(f"{root}: no folder for {role.name}; expected {expected} (option {role.name}=FOLDER)")
        if folder is not None:
            found[role.name] = _by_name(root, folder, role, problems)
    complete = []
    for name in sorted({name for files in found.values() for name in files}):
        lacking = [role for role, files in found.items() if name not in files]
        if lacking:
            have = next(files[name] for files in found.values() if name in files)
            what = f"{have} has no {' and no '.join(lacking)} of the same name"
            problems.append(Problem(str(root), f"record {name}", what))
        else:
            complete.append(Record(name, {role: files[name] for role, files in found.items()}))
    return complete


def _by_name(root: Path, folder: Path, role: Role, problems: list[Problem]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.suffix.lower() not in role.suffixes or any(part.startswith(".") for part in below.parts):
            continue
        name = below.with_suffix("").as_posix()
        if name in files:
            problems.append(
                Problem(str(root), f"record {name}", f"two files for {role.name}: {files[name]} and {path}")
            )
        files.setdefault(name, path)
    return files


def _from_list(path: Path, roles: Sequence[Role], problems: list[Problem]) -> list[Record]:
    records: dict[str, Record] = {}
    for number, entry in enumerate(read_list(path)):
        try:
            record = _entry(entry, path.parent, roles, records)
        except InputError as error:
            problems.append(Problem(str(path), f"record {number}", error.message))
            continue
        records[record.name] = record
    return list(records.values())


def _entry(entry: Any, base: Path, roles: Sequence[Role], taken: Mapping[str, Record]) -> Record:
    if not isinstance(entry, dict):
        raise InputError(f"expected an object, got {type(entry).__name__}")
    files, used = {}, set()
    for role in roles:
        key = next((key for key in (role.name, *role.names) if key in entry), None)
        if key is None and role.needed:
            raise InputError(f'no "{role.name}"')
        if key is None or (entry[key] is None and not role.needed):
            continue
        if not isinstance(entry[key], str) or not entry[key]:
            raise InputError(f'"{key}" is {entry[key]!r}; expected a path')
        files[role.name] = base / entry[key]
        used.add(key)
    first = next(iter(files.values())).with_suffix("")
    name = str(entry.get("id", (first.relative_to(base) if first.is_relative_to(base) else first).as_posix()))
    if name in taken:
        raise InputError(f"a second record called {name}; give each its own id")
    return Record(name, files, {key: value for key, value in entry.items() if key not in used})
