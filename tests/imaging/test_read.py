"""Reading pictures of every kind, to the pixels of `cv2.imread`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers_pictures import KINDS, NEW_KINDS, PICTURE, RGB, encode, turned
from PIL import Image, TiffImagePlugin

from sapiens.errors import InputError
from sapiens.imaging.read import IMAGE_SUFFIXES, decode_image, read_image

OPENCV = tuple(int(part) for part in cv2.__version__.split(".")[:2])
needs_new_opencv = pytest.mark.skipif(OPENCV < (4, 11), reason="OpenCV 4.10 reads neither GIF nor animated WebP")


def as_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def assert_read(data: bytes, capfd) -> np.ndarray:
    image = decode_image(data, "x")
    assert capfd.readouterr().err == ""
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, as_opencv(data))
    return image


@pytest.mark.parametrize("kind", KINDS)
def test_decode__pixels_of_imread(kind: str, capfd) -> None:
    assert_read(KINDS[kind](), capfd)


@needs_new_opencv
@pytest.mark.parametrize("kind", NEW_KINDS)
def test_decode__pixels_of_a_recent_imread(kind: str, capfd) -> None:
    assert_read(NEW_KINDS[kind](), capfd)


@pytest.mark.parametrize("kind", ["png", "png alpha", "png 16 bits", "webp lossless", "tiff", "tiff lzw", "bmp"])
def test_decode__lossless_kinds_give_the_picture(kind: str) -> None:
    np.testing.assert_array_equal(decode_image(KINDS[kind](), "x"), RGB)


@pytest.mark.parametrize("kind", ["tiff pages", "apng", "jpeg pair"])
def test_decode__first_of_several_pictures(kind: str) -> None:
    assert np.abs(decode_image(KINDS[kind](), "x").astype(int) - RGB).mean() < 5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_decode__exif_orientation(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"exif": exif.tobytes()}
    if form == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[274] = orientation
        options = {"tiffinfo": tags}
    if form == "WEBP":
        options["lossless"] = True
    image = decode_image(encode(PICTURE, form, **options), "x")
    expected = turned(orientation)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() <= (4 if form == "JPEG" else 0)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("exif", [b"junk", b"II*\0\xff\xff\xff\xff"], ids=["no structure", "beyond the end"])
def test_decode__webp_with_damaged_exif(exif: bytes) -> None:
    np.testing.assert_array_equal(decode_image(encode(PICTURE, "WEBP", lossless=True, exif=exif), "x"), RGB)


@pytest.mark.parametrize("name", ["photo.JPG", "photo.Png", "photo", "photo.txt"])
def test_read__content_counts_not_the_suffix(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(KINDS["png"]())
    np.testing.assert_array_equal(read_image(path), RGB)
    np.testing.assert_array_equal(read_image(str(path)), RGB)


def test_suffixes__are_lower_case() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)


def refuse(*_: object) -> bytes:
    raise PermissionError(13, "Permission denied")


def test_read__missing_folder_or_forbidden(tmp_path: Path, monkeypatch) -> None:
    for path, message in [
        (tmp_path / "none.jpg", "no such file"),
        (tmp_path / "none/x.jpg", "no such file"),
        (tmp_path, "a folder; expected a picture file"),
        (Path("zero\0byte.jpg"), "cannot be read|no such file"),
    ]:
        with pytest.raises(InputError, match=message):
            read_image(path)
    (tmp_path / "x.jpg").write_bytes(KINDS["jpeg"]())
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"x\.jpg: cannot be read \(Permission denied\)"):
        read_image(tmp_path / "x.jpg")


def test_read__not_a_regular_file(tmp_path: Path) -> None:
    os_fifo = pytest.importorskip("os").mkfifo
    os_fifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read_image(tmp_path / "pipe")


def test_read__file_larger_than_any_picture(tmp_path: Path) -> None:
    with open(tmp_path / "x.png", "wb") as file:
        file.truncate((64 << 20) + 81)
    with pytest.raises(InputError, match="more than any picture within the pixel limit"):
        read_image(tmp_path / "x.png", max_pixels=10)
