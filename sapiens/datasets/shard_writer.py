"""Writing any readable data as shards: tar files of many records, which disks and networks read in long runs."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sapiens.datasets.encoding import encode_sample
from sapiens.datasets.reader import Problem
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.imaging.write import atomic_path


@dataclass(frozen=True)
class Written:
    """What became of the records.

    Attributes:
        paths: the shards, in order.
        count: records in them.
        problems: records that could not be read and are in none.
    """

    paths: tuple[Path, ...]
    count: int
    problems: tuple[Problem, ...]


def write_shards(
    samples: Sequence[Sample],
    folder: str | Path,
    per_shard: int = 1000,
    *,
    prefix: str = "train",
    on_record: Callable[[], object] = lambda: None,
) -> Written:
    """Write `prefix-0000.tar` and so on; each appears whole or not at all. See `encoding` for what is in them.

    Args:
        samples: any sequence of samples; a record that raises InputError is left out and listed.
        folder: made if missing; must hold no shard of that prefix.
        per_shard: records in a shard; the last one may have fewer.
        prefix: of the names.
        on_record: called after each record.

    Raises:
        InputError: shards of that name are there, a count below 1, or a shard cannot be written.
    """
    folder = Path(folder)
    if per_shard < 1:
        raise InputError(f"per_shard {per_shard}: expected at least 1")
    old = sorted(folder.glob(f"{prefix}-*.tar"))
    if old:
        raise InputError(f"{old[0]}: there already", hint="choose another folder or prefix, or remove the old shards")
    paths: list[Path] = []
    problems: list[Problem] = []
    count = 0
    for first in range(0, len(samples), per_shard):
        path = folder / f"{prefix}-{len(paths):04d}.tar"
        places = range(first, min(first + per_shard, len(samples)))
        with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            done = sum(_add(archive, samples, place, problems, on_record) for place in places)
        if done:
            paths.append(path)
        else:
            path.unlink()
        count += done
    return Written(tuple(paths), count, tuple(problems))


def _add(
    archive: tarfile.TarFile,
    samples: Sequence[Sample],
    place: int,
    problems: list[Problem],
    on_record: Callable[[], object],
) -> int:
    try:
        parts = encode_sample(samples[place])
    except InputError as error:
        problems.append(Problem(f"record {place}", "", error.message))
        return 0
    finally:
        on_record()
    for suffix, data in parts.items():
        # No owner and no date: equal records give equal shards.
        member = tarfile.TarInfo(f"{place:08d}.{suffix}")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return 1
