"""Foreground masks found by the name of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.imaging.masks import find_mask, read_mask
from sapiens.imaging.write import write_image, write_npz

HW = (6, 4)
MASK = np.random.default_rng(0).random(HW) > 0.5


def grey(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, 2)


def save(path: Path, array: np.ndarray) -> None:
    np.save(path, array, allow_pickle=False)


WRITERS = [
    pytest.param(lambda d: save(d / "x.npy", MASK), id="bool npy"),
    pytest.param(lambda d: save(d / "x.npy", MASK * np.uint8(255)), id="uint8 npy"),
    pytest.param(lambda d: save(d / "x_seg.npy", MASK * np.int64(7)), id="labels"),
    pytest.param(lambda d: save(d / "x_alpha.npy", np.where(MASK, 0.6, 0.5).astype(np.float32)), id="alpha"),
    pytest.param(lambda d: write_npz(d / "x.npz", {"labels": MASK * np.uint8(3), "meta": "{}"}), id="saved parts"),
    pytest.param(lambda d: write_npz(d / "x.npz", {"alpha": MASK * 0.9}), id="saved matte"),
    pytest.param(lambda d: write_image(d / "x.png", grey(MASK)), id="png"),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.JPEG", "x", "some/folder/x.jpg"])
def test_find_mask__every_kind(tmp_path: Path, write, name: str) -> None:
    write(tmp_path)
    found = find_mask(tmp_path, name, HW)
    assert found is not None
    assert found.dtype == bool
    np.testing.assert_array_equal(found, MASK)


@pytest.mark.parametrize("write", WRITERS)
def test_read_mask__every_kind_by_the_end_of_its_name(tmp_path: Path, write) -> None:
    write(tmp_path)
    (path,) = tmp_path.iterdir()
    np.testing.assert_array_equal(read_mask(path, HW), MASK)
    with pytest.raises(InputError, match="a mask of 6x4 pixels for a picture of 4x6"):
        read_mask(path, HW[::-1])


def test_read_mask__of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text("{}")
    with pytest.raises(InputError, match=r"mask\.json: not a kind of mask known here"):
        read_mask(tmp_path / "mask.json", HW)


def test_find_mask__picture_of_the_same_name(tmp_path: Path) -> None:
    write_image(tmp_path / "x.jpg", grey(np.ones(HW, bool)))
    write_image(tmp_path / "x.png", grey(np.zeros(HW, bool)))
    assert find_mask(tmp_path, "x.jpg", HW).all()


def test_find_mask__first_of_several(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", grey(np.zeros(HW, bool)))
    save(tmp_path / "x_seg.npy", np.zeros(HW, np.int64))
    save(tmp_path / "x.npy", np.ones(HW, bool))
    assert find_mask(tmp_path, "x.png", HW).all()
    (tmp_path / "x.npy").unlink()
    assert not find_mask(tmp_path, "x.png", HW).any()


@pytest.mark.parametrize("name", ["plate.0001.png", "plate.0001"])
def test_find_mask__dots_in_the_name(tmp_path: Path, name: str) -> None:
    save(tmp_path / "plate.npy", np.zeros(HW, bool))
    save(tmp_path / "plate.0001.npy", MASK)
    np.testing.assert_array_equal(find_mask(tmp_path, name, HW), MASK)


def test_find_mask__none(tmp_path: Path) -> None:
    save(tmp_path / "y.npy", MASK)
    assert find_mask(tmp_path, "x.jpg", HW) is None
    assert find_mask(tmp_path / "missing", "x.jpg", HW) is None


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(lambda d: save(d / "x.npy", MASK.T), "a mask of 4x6 pixels for a picture of 6x4", id="size"),
        pytest.param(
            lambda d: save(d / "x.npy", np.zeros((*HW, 3), np.float32)), r"\(6, 4, 3\) is no mask", id="normals"
        ),
        pytest.param(lambda d: save(d / "x.npy", np.zeros(HW)), "float64 array", id="floats"),
        pytest.param(lambda d: save(d / "x_alpha.npy", MASK), "numbers from 0 to 1", id="bool alpha"),
        pytest.param(lambda d: (d / "x.npy").write_bytes(b"\x93NUMPY junk"), "cannot be read", id="damaged npy"),
        pytest.param(lambda d: (d / "x.npy").write_bytes(b""), "cannot be read", id="empty npy"),
        pytest.param(lambda d: (d / "x.npz").write_bytes(b"PK\3\4 junk"), "cannot be read", id="damaged npz"),
        pytest.param(lambda d: write_npz(d / "x.npz", {"depth": MASK}), "holds depth; expected", id="other npz"),
        pytest.param(lambda d: np.save(d / "x.npy", np.array([{}]), allow_pickle=True), "pickle", id="objects"),
        pytest.param(lambda d: (d / "x.png").write_bytes(b"text"), "not a picture", id="no picture"),
    ],
)
def test_find_mask__refuses(tmp_path: Path, write, message: str) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        find_mask(tmp_path, "x.png", HW)
    assert str(tmp_path / "x") in str(raised.value)
    assert "\n" not in str(raised.value)
