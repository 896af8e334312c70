"""Frames from whatever a user hands over."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from helpers_pictures import KINDS, PICTURE, RGB, encode, turned, with_alpha
from PIL import Image

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.read import to_frame


def test_to_frame__path(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(KINDS["png"]())
    for source in (path, str(path)):
        frame = to_frame(source, 4)
        assert (frame.id, frame.index, frame.path) == (str(path), 4, path)
        np.testing.assert_array_equal(frame.image, RGB)


def test_to_frame__names() -> None:
    assert to_frame(RGB, 3).id == "array-3"
    assert to_frame(PICTURE).id == "image-0"
    assert to_frame(KINDS["png"](), 1).id == "bytes-1"


def test_to_frame__opened_file_keeps_its_name(tmp_path: Path) -> None:
    PICTURE.save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        frame = to_frame(picture)
    assert (frame.id, frame.path) == (str(tmp_path / "x.png"), tmp_path / "x.png")
    np.testing.assert_array_equal(frame.image, RGB)


def test_to_frame__frame_stays_itself() -> None:
    frame = Frame(RGB, "x")
    assert to_frame(frame) is frame


def test_to_frame__arrays_become_contiguous() -> None:
    frame = to_frame(RGB[::-1, ::2])
    assert frame.image.flags.c_contiguous
    np.testing.assert_array_equal(frame.image, RGB[::-1, ::2])


GREY = RGB[..., 0]
DEEP = GREY.astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param(PICTURE.convert("L"), None, id="L"),
        pytest.param(PICTURE.convert("LA"), PICTURE.convert("L"), id="LA"),
        pytest.param(PICTURE.convert("P"), None, id="P"),
        pytest.param(with_alpha(), PICTURE, id="RGBA"),
        pytest.param(PICTURE.convert("CMYK"), None, id="CMYK"),
        pytest.param(PICTURE.convert("1"), None, id="1"),
        pytest.param(PICTURE.convert("YCbCr"), None, id="YCbCr"),
        pytest.param(Image.fromarray(DEEP), Image.fromarray(GREY), id="I;16"),
        pytest.param(Image.fromarray(DEEP.astype(np.int32)), Image.fromarray(GREY), id="I"),
    ],
)
def test_to_frame__pil_modes(picture: Image.Image, expected: Image.Image | None) -> None:
    image = to_frame(picture).image
    np.testing.assert_array_equal(image, np.asarray((expected or picture).convert("RGB")))


def test_to_frame__pil_palette_with_transparency() -> None:
    with Image.open(io.BytesIO(KINDS["png transparent palette"]())) as picture:
        assert to_frame(picture).image.shape == (56, 40, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_to_frame__pil_exif_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    with Image.open(io.BytesIO(encode(PICTURE, "PNG", exif=exif))) as picture:
        np.testing.assert_array_equal(to_frame(picture).image, turned(orientation))


def cut_off_pil() -> Image.Image:
    return Image.open(io.BytesIO(KINDS["png"]()[:900]))


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        pytest.param(lambda: RGB / 255, "float64", r"\* 255", id="floats"),
        pytest.param(lambda: GREY, r"shape \(56, 40\)", "grey", id="grey"),
        pytest.param(lambda: GREY[..., None], "expected uint8", "grey", id="one channel"),
        pytest.param(lambda: np.asarray(with_alpha()), r"\(56, 40, 4\)", "alpha", id="alpha"),
        pytest.param(lambda: RGB.transpose(2, 0, 1), r"\(3, 56, 40\)", "channels first", id="channels first"),
        pytest.param(lambda: RGB[None], r"\(1, 56, 40, 3\)", "a list", id="batch"),
        pytest.param(lambda: RGB.astype(np.int64), "int64", None, id="int64"),
        pytest.param(lambda: RGB[:0], "no pixels", None, id="no rows"),
        pytest.param(lambda: 5, "cannot use int", None, id="a number"),
        pytest.param(lambda: None, "cannot use NoneType", None, id="none"),
        pytest.param(lambda: Image.fromarray(GREY.astype(np.float32)), "mode F", None, id="PIL floats"),
        pytest.param(lambda: Image.fromarray(DEEP.astype(np.int32) * 9), "beyond 0..65535", None, id="PIL integers"),
        pytest.param(cut_off_pil, "cannot be decoded", None, id="PIL cut off"),
        pytest.param(lambda: Image.new("1", (20000, 20000)), "20000x20000 pixels are more", "smaller", id="PIL bomb"),
    ],
)
def test_to_frame__refuses(source, message: str, hint: str | None) -> None:
    with pytest.raises(InputError, match=message) as raised:
        to_frame(source(), 7)
    assert "\n" not in str(raised.value)
    if hint is not None:
        assert raised.value.hint is not None
        assert hint.replace("\\", "") in raised.value.hint
