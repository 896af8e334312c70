"""EXR plates in linear light, and mattes back."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from sapiens.errors import InputError
from sapiens.imaging.exr import read_exr, to_linear, write_exr


def write(path: Path, channels: dict) -> Path:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels).write(str(path))
    return path


RAMP = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [
        pytest.param({"RGB": np.dstack([RAMP, RAMP * 0.5, RAMP * 0])}, (1, 0.5, 0), id="rgb"),
        pytest.param({"RGBA": np.dstack([RAMP, RAMP, RAMP * 0.5, RAMP])}, (1, 1, 0.5), id="rgba"),
        pytest.param({"Y": RAMP}, (1, 1, 1), id="grey"),
        pytest.param({"RGB": np.dstack([RAMP] * 3).astype(np.float16), "Z": RAMP}, (1, 1, 1), id="half, with depth"),
    ],
)
def test_read__display_values_of_linear_light(channels: dict, wanted: tuple, tmp_path: Path) -> None:
    image = read_exr(write(tmp_path / "a.exr", channels))
    assert image.dtype == np.uint8
    assert image.shape == (4, 6, 3)
    assert np.allclose(to_linear(image / np.float32(255)), RAMP[..., None] * wanted, atol=0.006)


def test_read__known_values_of_the_srgb_curve(tmp_path: Path) -> None:
    linear = np.array([[0.0, 0.0031308, 0.18, 0.5, 1.0, 7.0, -1.0, np.nan]], np.float32)
    image = read_exr(write(tmp_path / "a.exr", {"RGB": np.dstack([linear] * 3)}))
    assert image[0, :, 0].tolist() == [0, 10, 118, 188, 255, 255, 0, 0]


def test_write__rgba_and_alpha_come_back(tmp_path: Path) -> None:
    rgba = np.random.default_rng(0).random((5, 7, 4)).astype(np.float32)
    write_exr(tmp_path / "a.exr", rgba)
    write_exr(tmp_path / "b.exr", rgba[..., 3])
    with OpenEXR.File(str(tmp_path / "a.exr")) as file:
        assert np.allclose(file.channels()["RGBA"].pixels, rgba, atol=5e-4)
    with OpenEXR.File(str(tmp_path / "b.exr")) as file:
        assert np.allclose(file.channels()["A"].pixels, rgba[..., 3], atol=5e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"hello", "damaged, or no EXR", id="text"),
        pytest.param(b"", "damaged, or no EXR", id="empty"),
        pytest.param(None, "no such file", id="missing"),
        pytest.param("alpha", "holds the channels A; expected R, G and B", id="no colours"),
        pytest.param("cut", "damaged, or no EXR", id="cut off"),
    ],
)
def test_read__bad_files_are_one_line(content, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    if content == "alpha":
        write_exr(path, RAMP)
    elif content == "cut":
        noise = np.random.default_rng(0).random((64, 64, 4)).astype(np.float32)
        path.write_bytes(write_exr(path, noise).read_bytes()[:3000])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_exr(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_write__bad_shape_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected"):
        write_exr(tmp_path / "a.exr", np.zeros((2, 2, 3), np.float32))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_exr(tmp_path / "file/a.exr", RAMP)
