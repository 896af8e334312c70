"""The format "shards": tar files as WebDataset has them, read at random: any record by its offset.

Files of a record share what stands before the first dot of their name: `017.png`, `017.labels.png`, `017.json`. The
headers are read once when the shards are opened; the tar files must not be compressed.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sapiens.datasets.encoding import IMAGES, decode_sample
from sapiens.datasets.reader import Problem, Reader, list_problems
from sapiens.errors import InputError
from sapiens.imaging.sample import FIELDS, Sample

Places = dict[str, tuple[int, int]]
"""Suffix -> offset and size of the bytes within the tar file."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class ShardOptions:
    """There is nothing to set."""


OPTIONS = ShardOptions


class Shards(Reader):
    """Records of tar files, in the order of the files and within them.

    Args:
        file: pattern or folder, for errors.
        entries: tar file, key and places of every record.
        problems: shards and members that cannot be read.
    """

    def __init__(
        self, file: Path | str, entries: Sequence[tuple[Path, str, Places]], problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(file, problems)
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        shard, key, _ = self.entries[index]
        return f"{shard.name}, record {key}"

    def files(self, index: int) -> Sequence[Path]:
        return (self.entries[index][0],)

    def read(self, index: int) -> Sample:
        shard, key, places = self.entries[index]
        parts = {}
        try:
            # Opened for each record: nothing is left open in any process, and threads share no position.
            with shard.open("rb") as file:
                for suffix, (offset, size) in places.items():
                    file.seek(offset)
                    parts[suffix] = file.read(size)
        except OSError as error:
            raise InputError(f"{shard}: cannot be read ({error.strerror or error})") from error
        short = [suffix for suffix, data in parts.items() if len(data) != places[suffix][1]]
        if short:
            raise InputError(f"{shard}: is cut off within {key}.{short[0]}")
        return decode_sample(parts, f"{shard.stem}/{key}")


def open_format(path: Path, options: ShardOptions, task: str) -> Shards:
    """Shards of a folder, a pattern with `{0000..0009}`, `*` or `?`, or one tar file.

    Raises:
        InputError: no such files, or no record in them.
    """
    entries: list[tuple[Path, str, Places]] = []
    problems: list[Problem] = []
    for shard in find_shards(path):
        try:
            entries += [(shard, key, places) for key, places in read_index(shard).items()]
        except InputError as error:
            problems.append(Problem(str(shard), "", error.message))
    if not entries:
        raise InputError(f"{path}: no record in the shards\n{list_problems(problems)}".strip())
    return Shards(path, entries, problems)


def find_shards(path: Path) -> list[Path]:
    """The tar files of a folder, pattern or range; those of a range must all exist.

    Raises:
        InputError: none, or some of a range are missing.
    """
    if path.is_dir():
        found = sorted(path.glob("*.tar"))
    elif "*" in path.name or "?" in path.name:
        found = sorted(f for f in path.parent.glob(path.name) if f.is_file())
    else:
        found = expand_range(path)
        missing = [f for f in found if not f.is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(f"{missing[0]}: no such shard{more}")
    if not found:
        raise InputError(f"{path}: no .tar files there")
    return found


def expand_range(path: Path) -> list[Path]:
    """`a-{08..11}.tar` -> a-08.tar .. a-11.tar; a path without a range is itself.

    Raises:
        InputError: a range that runs backwards.
    """
    match = _RANGE.search(path.name)
    if not match:
        return [path]
    low, high, width = int(match[1]), int(match[2]), len(match[1])
    if high < low:
        raise InputError(f"{path}: the range {match[0]} runs backwards")
    names = [f"{path.name[: match.start()]}{k:0{width}d}{path.name[match.end() :]}" for k in range(low, high + 1)]
    return [path.with_name(name) for name in names]


def read_index(shard: Path) -> dict[str, Places]:
    """Where the files of each record are; members that are no part of a sample are passed over.

    Raises:
        InputError: no tar file, a compressed one, one that is cut off, or a record whose files are apart.
    """
    index: dict[str, Places] = {}
    size = shard.stat().st_size
    last = ""
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, base = member.name.rpartition("/")
                stem, _, suffix = base.partition(".")
                key = f"{folder}/{stem}".strip("/").removeprefix("./")
                if not member.isreg() or not stem or not _belongs(suffix.lower()):
                    continue
                if member.offset_data + member.size > size:
                    raise InputError(f"is cut off within {member.name}")
                if key in index and key != last:
                    raise InputError(f"record {key} appears twice")
                index.setdefault(key, {})[suffix.lower()] = (member.offset_data, member.size)
                last = key
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"cannot be read as an uncompressed tar file ({error})") from error
    return index


def _belongs(suffix: str) -> bool:
    return suffix in (*IMAGES, "json") or suffix.partition(".")[0] in FIELDS
