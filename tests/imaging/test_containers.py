"""Files that are cut off, damaged, too large or no pictures at all: one line each, and nothing on standard error."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_pictures import KINDS, NEW_KINDS, RGB, bare_png, chunk, encode
from PIL import Image

from sapiens.errors import InputError
from sapiens.imaging.read import decode_image

WHOLE = [
    "jpeg",
    "jpeg progressive",
    "png",
    "webp",
    "webp lossless",
    "webp alpha",
    "tiff",
    "tiff lzw",
    "tiff big",
    "bmp",
]


@pytest.mark.parametrize(
    "left", [0.02, 0.3, 0.6, 0.9, -2], ids=["header", "third", "most", "nearly all", "2 bytes less"]
)
@pytest.mark.parametrize("kind", [*WHOLE, "gif"])
def test_decode__cut_off(kind: str, left: float, capfd) -> None:
    data = (KINDS | NEW_KINDS)[kind]()
    with pytest.raises(InputError, match=r"^x: \w+ file (is cut off|has no known)|^x: not a pic") as raised:
        decode_image(data[: int(len(data) * left)] if left > 0 else data[: int(left)], "x")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_decode__damaged_png(capfd) -> None:
    data = bytearray(KINDS["png"]())
    data[200] ^= 1
    with pytest.raises(InputError, match=r"x: PNG file is damaged: wrong checksum of the IDAT chunk at byte \d+"):
        decode_image(bytes(data), "x")
    assert capfd.readouterr().err == ""


def test_decode__png_with_damage_that_does_not_matter(capfd) -> None:
    data = KINDS["png"]()
    noisy = data[:33] + chunk(b"iCCP", b"x\0\0junk") + chunk(b"tEXt", b"a\0b", checksum=5) + data[33:]
    np.testing.assert_array_equal(decode_image(noisy, "x"), RGB)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (2**31 - 1, 2**31 - 1)], ids=str)
def test_decode__bomb(width: int, height: int, capfd) -> None:
    with pytest.raises(InputError, match=rf"x: {width}x{height} pixels are more than the limit of 160000000"):
        decode_image(bare_png(width, height), "x")
    assert capfd.readouterr().err == ""


def test_decode__limit_is_inclusive() -> None:
    data = KINDS["png"]()
    assert decode_image(data, "x", max_pixels=40 * 56).shape == (56, 40, 3)
    with pytest.raises(InputError, match="40x56 pixels are more than the limit of 2239"):
        decode_image(data, "x", max_pixels=40 * 56 - 1)


NO_PICTURES = [
    pytest.param(b"", "the file is empty", id="empty"),
    pytest.param(b"hello world\n" * 9, "not a picture; expected PNG, JPEG", id="text"),
    pytest.param(b"\0", "not a picture", id="zero byte"),
    pytest.param(b"%PDF-1.7 ...", "a PDF document; expected PNG", id="pdf"),
    pytest.param(b"\0\0\0\x18ftypheic....", "a HEIC picture", id="heic"),
    pytest.param(b"\0\0\0\x18ftypisom....", "a video", id="mp4"),
    pytest.param(b"RIFF\x24\0\0\0WAVEfmt ", "not a picture", id="wav"),
    pytest.param(b"BM is how this text begins, and it goes on", "BMP file has no known header", id="bm text"),
    pytest.param(b"BM", "BMP file is cut off or damaged", id="bm"),
    pytest.param(b"\xff\xd8\xff\xd9", "JPEG file holds no picture", id="jpeg of nothing"),
    pytest.param(
        b"\xff\xd8\xff\xe0\0\0" + b"\xff\xe0\0\0" * 9, "JPEG file is cut off or damaged", id="jpeg of markers"
    ),
    pytest.param(b"\xff\xd8\xff\xc0\0\x11\x0c\0\1\0\1\3", "JPEG file has 12 bits", id="12-bit jpeg"),
    pytest.param(bare_png(0, 5), "PNG file says it is 0x5 pixels", id="no columns"),
    pytest.param(bare_png(5, 5, b"\x09" * 80), "damaged PNG file, or a kind of PNG that OpenCV", id="unknown filter"),
    pytest.param(b"II*\0\x08\0\0\0\0\0", "TIFF file has no picture size", id="tiff of nothing"),
    pytest.param(b"GIF89a\1\0\1\0\0\0\0junk", "GIF file is damaged at byte 13", id="gif of nothing"),
]


@pytest.mark.parametrize(("data", "message"), NO_PICTURES)
def test_decode__no_picture(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^x: {message}") as raised:
        decode_image(data, "x")
    assert "\n" not in str(raised.value)


def float_tiff() -> bytes:
    return encode(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(float_tiff(), "32-bit floating-point values; expected 8 or 16 bits", id="float"),
        pytest.param(
            encode(Image.fromarray(RGB[..., 0].astype(np.int32)), "TIFF"), "32-bit integer values", id="integer"
        ),
    ],
)
def test_decode__tiff_of_other_values(data: bytes, message: str, capfd) -> None:
    with pytest.raises(InputError, match=f"x: TIFF file has {message}"):
        decode_image(data, "x")
    assert capfd.readouterr().err == ""
