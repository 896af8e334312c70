import io
import pickle
import tarfile

import numpy as np
import pytest
from datasets.tiny import people

from sapiens.datasets import open_data, write_shards
from sapiens.datasets.shards import expand_range
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample

TASKS = ["pose", "seg", "normal", "pointmap", "matting", "albedo"]


@pytest.fixture
def shards(tmp_path):
    write_shards(people(), tmp_path, 4)
    return tmp_path


@pytest.mark.parametrize("task", TASKS)
def test_shards__give_back_what_went_in(shards, task) -> None:
    samples = open_data(shards, task)
    assert [sample.id for sample in samples] == [sample.id for sample in people()]
    for sample, truth in zip(samples, people(), strict=True):
        np.testing.assert_array_equal(sample.image, truth.image)
        assert set(sample.fields) == set(truth.fields)
        for name, value in truth.fields.items():
            loose = 1 / 65535 if name in ("alpha", "foreground", "albedo") else 0
            np.testing.assert_allclose(sample.fields[name], value, atol=loose)
            assert sample.fields[name].dtype == (value.dtype if name != "depth_m" else np.float32)
        np.testing.assert_array_equal(sample.extra["intrinsics"], truth.extra["intrinsics"])
        np.testing.assert_array_equal(sample.extra["box_xyxy"], truth.extra["box_xyxy"])


def test_shards__values_of_8_bits_are_exact(tmp_path) -> None:
    values = (np.arange(256, dtype=np.float32) / 255).reshape(16, 16)
    image = np.zeros((16, 16, 3), np.uint8)
    write_shards([Sample(image, "a", {"alpha": values}, {"needs_background": 1})], tmp_path)
    sample = open_data(tmp_path, "matting")[0]
    np.testing.assert_array_equal(sample.fields["alpha"], values)
    assert sample.extra == {"needs_background": 1}


PATTERNS = [
    ("folder", "", 6),
    ("range", "train-{0000..0001}.tar", 6),
    ("star", "train-*.tar", 6),
    ("one", "train-0001.tar", 2),
]


@pytest.mark.parametrize(("pattern", "count"), [row[1:] for row in PATTERNS], ids=[row[0] for row in PATTERNS])
def test_shards__patterns(shards, pattern, count) -> None:
    assert len(open_data(f"shards:{shards / pattern}", "seg")) == count


def test_shards__are_equal_for_equal_records_and_survive_workers(shards, tmp_path) -> None:
    write_shards(people(), tmp_path / "again", 4)
    assert (tmp_path / "again/train-0001.tar").read_bytes() == (shards / "train-0001.tar").read_bytes()
    again = pickle.loads(pickle.dumps(open_data(shards, "seg")))
    np.testing.assert_array_equal(again[5].image, people()[5].image)


def test_write_shards__bad_record_is_left_out_and_listed(tmp_path, fresh) -> None:
    (fresh / "parts/train/labels/0002.png").write_bytes(b"no")
    written = write_shards(open_data(fresh / "parts/train", "seg", check=False), tmp_path / "s", 2)
    assert written.count == 3
    assert len(written.paths) == 2
    assert "record 0002" in written.problems[0].what
    assert [s.id for s in open_data(tmp_path / "s", "seg")] == ["0000", "0001", "0003"]


def test_write_shards__never_over_old_ones(shards) -> None:
    with pytest.raises(InputError, match="there already"):
        write_shards(people(), shards)


def test_write_shards__nan_is_refused(tmp_path) -> None:
    bad = Sample(np.zeros((4, 4, 3), np.uint8), "a", {"alpha": np.full((4, 4), np.nan, np.float32)})
    assert "alpha must lie in 0..1" in write_shards([bad], tmp_path).problems[0].what


def tar(path, **members) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def part(shards, name) -> bytes:
    with tarfile.open(shards / "train-0000.tar") as archive:
        return archive.extractfile(f"00000000.{name}").read()


def test_shards__of_other_makers(shards, tmp_path) -> None:
    """Upper-case suffixes, files that are no part of a sample, no json."""
    tar(
        tmp_path / "o.tar",
        a__PNG=part(shards, "png"),
        a__cls=b"3",
        a__labels__png=part(shards, "labels.png"),
        readme=b"x",
    )
    sample = open_data(tmp_path / "o.tar", "seg")[0]
    assert sample.id == "o/a"
    np.testing.assert_array_equal(sample.fields["labels"], people()[0].fields["labels"])


BAD = [
    ("no picture", {"a__labels__png": "labels.png"}, "no picture"),
    ("labels missing", {"a__png": "png"}, "has no labels"),
    ("labels damaged", {"a__png": "png", "a__labels__png": b"x"}, r"labels.png: not a picture"),
    ("labels are colour", {"a__png": "png", "a__labels__png": "png"}, "cannot hold that"),
    ("json damaged", {"a__png": "png", "a__labels__png": "labels.png", "a__json": b"{"}, "json: cannot be read"),
    ("json is a list", {"a__png": "png", "a__labels__png": "labels.png", "a__json": b"[]"}, "expected an object"),
    ("camera", {"a__png": "png", "a__labels__png": "labels.png", "a__json": b'{"intrinsics": 3}'}, "intrinsics 3"),
    ("apart", {"a__png": "png", "b__png": "png", "a__labels__png": "labels.png"}, "appears twice"),
    ("nothing", {"readme": b""}, "no record"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_shards__bad_records_name_shard_and_record(shards, tmp_path, members, message) -> None:
    tar(tmp_path / "bad.tar", **{k: v if isinstance(v, bytes) else part(shards, v) for k, v in members.items()})
    with pytest.raises(InputError) as raised:
        open_data(tmp_path / "bad.tar", "seg")
    assert message in str(raised.value)
    assert "bad.tar" in str(raised.value)


def test_shards__cut_off(shards) -> None:
    path = shards / "train-0000.tar"
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match=r"train-0000\.tar: .*cut off"):
        open_data(shards, "seg")


@pytest.mark.parametrize("data", [b"", b"hello" * 300], ids=["empty", "text"])
def test_shards__no_tar(tmp_path, data) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tar"):
        open_data(tmp_path / "a.tar", "seg")


def test_shards__compressed(shards, tmp_path) -> None:
    with tarfile.open(tmp_path / "z.tar", "w:gz") as archive:
        archive.add(shards / "train-0000.tar", "a.png")
    with pytest.raises(InputError, match="uncompressed tar"):
        open_data(tmp_path / "z.tar", "seg")


def test_expand_range__width_and_missing(tmp_path, shards) -> None:
    assert [p.name for p in expand_range(tmp_path / "a-{08..11}.tar")] == [
        "a-08.tar",
        "a-09.tar",
        "a-10.tar",
        "a-11.tar",
    ]
    with pytest.raises(InputError, match="runs backwards"):
        expand_range(tmp_path / "a-{3..1}.tar")
    with pytest.raises(InputError, match=r"train-0002\.tar: no such shard and 1 more"):
        open_data(f"shards:{shards}/train-{{0000..0003}}.tar", "seg")
