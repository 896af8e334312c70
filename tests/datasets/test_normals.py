import cv2
import numpy as np
import pytest
from datasets.tiny import people

from sapiens.datasets import open_data
from sapiens.datasets.normals import decode_normals
from sapiens.errors import InputError

SIZE = (64, 48)


def angle(one, other, mask) -> float:
    """Largest angle in degrees."""
    return float(np.degrees(np.arccos(np.clip((one * other).sum(-1)[mask], -1, 1))).max())


@pytest.fixture
def folder(tmp_path):
    """One picture; the test writes normals and mask."""
    for name in ("rgb", "normal", "mask"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "rgb/a.png"), np.zeros((*SIZE, 3), np.uint8))
    return tmp_path


def upright() -> np.ndarray:
    return np.tile(np.array([0.6, 0, 0.8], np.float32), (*SIZE, 1))


def write_mask(folder, mask) -> None:
    cv2.imwrite(str(folder / "mask/a.png"), mask.astype(np.uint8) * 255)


def test_normals__npy_in_released_axes(made) -> None:
    sample = open_data(made / "normals/train", "normal")[1]
    np.testing.assert_allclose(sample.fields["normals"], people()[1].fields["normals"], atol=1e-6)
    np.testing.assert_array_equal(sample.fields["mask"], people()[1].fields["mask"])


def test_normals__png_in_opencv_axes_is_the_same(made) -> None:
    sample = open_data(f"{made / 'normals/train'},normals=png_opencv,axes=opencv", "normal")[1]
    truth = people()[1]
    assert angle(sample.fields["normals"], truth.fields["normals"], truth.fields["mask"]) < 0.05


@pytest.mark.parametrize(("dtype", "degrees"), [(np.uint8, 0.6), (np.uint16, 0.05)])
def test_decode_normals__levels(dtype, degrees) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 30, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    top = np.iinfo(dtype).max
    decoded = decode_normals(np.rint((vectors + 1) / 2 * top).astype(dtype), "n")
    decoded /= np.linalg.norm(decoded, axis=-1, keepdims=True)
    assert angle(decoded, vectors, np.ones((20, 30), bool)) < degrees


def test_decode_normals__black_is_none() -> None:
    assert (decode_normals(np.zeros((2, 2, 3), np.uint8), "n") == 0).all()


def test_normals__exr(folder) -> None:
    exr = pytest.importorskip("OpenEXR")
    values = upright().astype(np.float32)
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    with exr.File(header, {"RGB": values}) as file:
        file.write(str(folder / "normal/a.exr"))
    write_mask(folder, np.ones(SIZE))
    np.testing.assert_allclose(open_data(folder, "normal")[0].fields["normals"], values, atol=1e-6)


def test_normals__without_mask_zero_and_nan_are_unknown(folder) -> None:
    (folder / "mask").rmdir()
    normals = upright()
    normals[0], normals[1] = 0, np.nan
    np.save(folder / "normal/a.npy", normals)
    sample = open_data(folder, "normal")[0]
    assert not sample.fields["mask"][:2].any()
    assert sample.fields["mask"][2:].all()
    assert (sample.fields["normals"][:2] == 0).all()


def test_normals__are_of_unit_length_afterwards(folder) -> None:
    np.savez(folder / "normal/a.npz", normal=upright() * 1.02, depth=np.zeros(3))
    write_mask(folder, np.ones(SIZE))
    np.testing.assert_allclose(open_data(folder, "normal")[0].fields["normals"], upright(), atol=1e-6)


def nan_inside(normals, mask):
    normals[5, 5] = np.nan


def infinite_inside(normals, mask):
    normals[5, 5, 1] = np.inf


def long_vectors(normals, mask):
    normals *= 127


def nobody(normals, mask):
    mask[:] = 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nan_inside, "NaN or infinite at 1 pixels inside the mask"),
        (infinite_inside, "NaN or infinite"),
        (long_vectors, "expected unit normals"),
        (nobody, "known at 0 pixels"),
    ],
)
def test_normals__bad_values(folder, damage, message) -> None:
    normals, mask = upright(), np.ones(SIZE)
    damage(normals, mask)
    np.save(folder / "normal/a.npy", normals)
    write_mask(folder, mask)
    with pytest.raises(InputError) as raised:
        open_data(folder, "normal")
    assert message in str(raised.value)
    assert "record a: " in str(raised.value)


def test_normals__nan_inside_the_mask_can_be_taken_as_unknown(folder) -> None:
    normals = upright()
    normals[5, 5] = np.nan
    np.save(folder / "normal/a.npy", normals)
    write_mask(folder, np.ones(SIZE))
    mask = open_data(f"{folder},nan=unknown", "normal")[0].fields["mask"]
    assert int(mask.sum()) == mask.size - 1


SIZES = [("mask", (64, 47), SIZE), ("normals", SIZE, (63, 48)), ("both", (10, 10), (10, 10))]


@pytest.mark.parametrize(("mask_hw", "normals_hw"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_normals__sizes_that_differ(folder, mask_hw, normals_hw) -> None:
    np.save(folder / "normal/a.npy", np.tile(np.array([0, 0, 1.0]), (*normals_hw, 1)))
    write_mask(folder, np.ones(mask_hw))
    with pytest.raises(InputError, match=r"height x width"):
        open_data(folder, "normal")


def test_normals__objects_are_never_unpickled(folder) -> None:
    np.save(folder / "normal/a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    write_mask(folder, np.ones(SIZE))
    with pytest.raises(InputError, match="cannot be read as an array"):
        open_data(folder, "normal")


def junk(path):
    path.write_bytes(b"not an array")


def cut_off(path):
    np.save(path, upright())
    path.write_bytes(path.read_bytes()[:500])


def promises_too_much(path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999999, 3), }".ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("write", [junk, cut_off, promises_too_much, empty])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".exr", ".png"])
def test_normals__damaged_file_is_one_clear_line(folder, write, suffix) -> None:
    if suffix == ".exr":
        pytest.importorskip("OpenEXR")
    write(folder / "normal/a.npy")
    (folder / "normal/a.npy").rename(folder / f"normal/a{suffix}")
    write_mask(folder, np.ones(SIZE))
    with pytest.raises(InputError) as raised:
        open_data(folder, "normal", check=False)[0]
    assert f"a{suffix}: " in raised.value.message
    assert "\n" not in raised.value.message
