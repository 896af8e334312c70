"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sapiens.errors import InputError
from sapiens.imaging.write import atomic_path, write_bytes, write_image, write_npz

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (7, 5, 4), dtype=np.uint8)
GREY = RNG.integers(0, 256, (7, 5), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (7, 5), dtype=np.uint16)


def test_atomic_path__appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep/er/x.bin"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".bin"
        temporary.write_bytes(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert list(target.parent.iterdir()) == [target]


def fail_halfway(target: Path, error: BaseException) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError], ids=["ctrl-c", "bug"])
def test_atomic_path__failure_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = write_bytes(tmp_path / "x.bin", b"old")
    with pytest.raises(error):
        fail_halfway(target, error())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_atomic_path__full_disk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.bin: cannot be written \(No space left on device\)"):
        fail_halfway(tmp_path / "x.bin", OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_write__where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "file/below.bin", tmp_path / "folder"):
        with pytest.raises(InputError, match="cannot be written") as raised:
            write_bytes(target, b"abc")
        assert "\n" not in str(raised.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_write__longest_name_the_file_system_takes(tmp_path: Path) -> None:
    assert write_bytes(tmp_path / f"{'n' * 251}.bin", b"abc").read_bytes() == b"abc"


def test_write_npz__round_trip_without_pickle(tmp_path: Path) -> None:
    arrays = {"labels": GREY, "half": DEEP.astype(np.float16), "meta": np.array('{"a": 1}'), "empty": np.zeros((0, 4))}
    path = write_npz(tmp_path / "x.npz", arrays)
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == list(arrays)
        for name, array in arrays.items():
            assert archive[name].dtype == array.dtype
            np.testing.assert_array_equal(archive[name], array)


def test_write_npz__equal_arrays_give_equal_bytes(tmp_path: Path, monkeypatch) -> None:
    first = write_npz(tmp_path / "a.npz", {"labels": GREY}).read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert write_npz(tmp_path / "b.npz", {"labels": GREY}).read_bytes() == first


def test_write_npz__objects(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names holds Python objects"):
        write_npz(tmp_path / "x.npz", {"names": np.array([{}, None])})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".TIFF", ".PNG"])
@pytest.mark.parametrize("image", [RGB, RGBA], ids=["rgb", "rgba"])
def test_write_image__lossless(tmp_path: Path, suffix: str, image: np.ndarray) -> None:
    opaque = image.copy()
    opaque[..., 3:] |= 1  # WebP drops the colour of fully transparent pixels
    path = write_image(tmp_path / f"x{suffix}", opaque)
    with Image.open(path) as back:
        np.testing.assert_array_equal(np.asarray(back), opaque)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("image", [GREY, DEEP], ids=["8 bits", "16 bits"])
def test_write_image__grey(tmp_path: Path, suffix: str, image: np.ndarray) -> None:
    back = cv2.imread(str(write_image(tmp_path / f"x{suffix}", image)), cv2.IMREAD_UNCHANGED)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


@pytest.mark.parametrize("image", [RGB, GREY], ids=["rgb", "grey"])
def test_write_image__jpeg(tmp_path: Path, image: np.ndarray) -> None:
    smooth = np.ascontiguousarray(np.broadcast_to(image[:1, :1], (24, 16, *image.shape[2:])))
    with Image.open(write_image(tmp_path / "x.jpg", smooth)) as back:
        assert np.abs(np.asarray(back).astype(int) - smooth).max() <= 3


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        pytest.param("x.bmpx", RGB, "unknown picture format '.bmpx'", id="suffix"),
        pytest.param("x", RGB, "unknown picture format ''", id="no suffix"),
        pytest.param("x.jpg", RGBA, "cannot hold RGBA", id="alpha in jpeg"),
        pytest.param("x.webp", DEEP, "cannot hold 16-bit grey", id="16 bits in webp"),
        pytest.param("x.png", RGB / 255, "float64", id="floats"),
        pytest.param("x.png", RGB[..., :2], r"\(7, 5, 2\)", id="two channels"),
        pytest.param("x.png", np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)", id="no rows"),
        pytest.param("x.jpg", np.zeros((1, 70000), np.uint8), "70000x1", id="too wide for jpeg"),
        pytest.param("x.webp", np.zeros((1, 20000, 3), np.uint8), "20000x1", id="too wide for webp"),
    ],
)
def test_write_image__refuses(tmp_path: Path, capfd, name: str, image: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        write_image(tmp_path / name, image)
    assert str(tmp_path / name) in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
