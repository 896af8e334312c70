"""Reading pictures of every kind, and one clear line for what is none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.read import IMAGE_SUFFIXES, decode_image, read_image, to_frame

OPENCV = tuple(int(part) for part in cv2.__version__.split(".")[:2])
needs_new_opencv = pytest.mark.skipif(OPENCV < (4, 11), reason="OpenCV 4.10 reads neither GIF nor animated WebP")
COARSE = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
RGB = cv2.resize(COARSE, (40, 56), interpolation=cv2.INTER_CUBIC)
PICTURE = Image.fromarray(RGB)
OTHER = Image.fromarray(255 - RGB)


def encode(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.copy().save(buffer, form, **options)  # Pillow leaves encoder settings on what it saves
    return buffer.getvalue()


def with_alpha() -> Image.Image:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(Image.fromarray(RGB[..., 1]))
    return picture


def as_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


KINDS: dict[str, Callable[[], bytes]] = {
    "png": lambda: encode(PICTURE, "PNG"),
    "png palette": lambda: encode(PICTURE.convert("P"), "PNG"),
    "png transparent palette": lambda: encode(with_alpha().convert("P"), "PNG", transparency=b"\0\x08\x20"),
    "png 1 bit": lambda: encode(PICTURE.convert("1"), "PNG"),
    "png grey": lambda: encode(PICTURE.convert("L"), "PNG"),
    "png grey with alpha": lambda: encode(PICTURE.convert("LA"), "PNG"),
    "png alpha": lambda: encode(with_alpha(), "PNG"),
    "png 16 bits": lambda: cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "png 16 bits grey": lambda: cv2.imencode(".png", RGB[..., 0].astype(np.uint16) * 257)[1].tobytes(),
    "png profile": lambda: encode(PICTURE, "PNG", icc_profile=b"\0" * 200),
    "png 1x1": lambda: encode(PICTURE.crop((0, 0, 1, 1)), "PNG"),
    "jpeg": lambda: encode(PICTURE, "JPEG"),
    "jpeg progressive": lambda: encode(PICTURE, "JPEG", progressive=True),
    "jpeg grey": lambda: encode(PICTURE.convert("L"), "JPEG"),
    "jpeg cmyk": lambda: encode(PICTURE.convert("CMYK"), "JPEG"),
    "jpeg 4:4:4 with restarts": lambda: encode(PICTURE, "JPEG", subsampling=0, restart_marker_rows=1),
    "jpeg with thumbnail": lambda: encode(PICTURE, "JPEG", exif=b"Exif\0\0" + encode(OTHER, "JPEG")),
    "jpeg pair": lambda: encode(PICTURE, "MPO", save_all=True, append_images=[OTHER.copy()]),
    "jpeg and trailing bytes": lambda: encode(PICTURE, "JPEG") + b"\0" * 50,
    "jpeg 1x1": lambda: encode(PICTURE.crop((0, 0, 1, 1)), "JPEG"),
    "webp": lambda: encode(PICTURE, "WEBP"),
    "webp lossless": lambda: encode(PICTURE, "WEBP", lossless=True),
    "webp alpha": lambda: encode(with_alpha(), "WEBP"),
    "tiff": lambda: encode(PICTURE, "TIFF"),
    "tiff lzw": lambda: encode(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: encode(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
    "tiff cmyk": lambda: encode(PICTURE.convert("CMYK"), "TIFF"),
    "tiff 1 bit fax": lambda: encode(PICTURE.convert("1"), "TIFF", compression="group4"),
    "tiff palette": lambda: encode(PICTURE.convert("P"), "TIFF"),
    "tiff alpha": lambda: encode(with_alpha(), "TIFF"),
    "tiff 16 bits": lambda: cv2.imencode(".tiff", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "tiff pages": lambda: encode(PICTURE, "TIFF", save_all=True, append_images=[OTHER.copy()]),
    "tiff big": lambda: encode(PICTURE, "TIFF", big_tiff=True),
    "bmp": lambda: encode(PICTURE, "BMP"),
    "bmp palette": lambda: encode(PICTURE.convert("P"), "BMP"),
    "apng": lambda: encode(PICTURE, "PNG", save_all=True, append_images=[OTHER.copy()]),
}
NEW_KINDS: dict[str, Callable[[], bytes]] = {
    "gif": lambda: encode(PICTURE, "GIF"),
    "gif animated": lambda: encode(PICTURE, "GIF", save_all=True, append_images=[OTHER.copy()]),
    "webp animated": lambda: encode(PICTURE, "WEBP", save_all=True, append_images=[OTHER.copy()]),
}


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


def turned(orientation: int) -> np.ndarray:
    """What a viewer shows, by the table of the EXIF standard."""
    operations = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    return operations[orientation](RGB)


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
    with pytest.raises(InputError, match=r"^x: \w+ file (is cut off|ends early|has no known)|^x: not a pic") as raised:
        decode_image(data[: int(len(data) * left)] if left > 0 else data[: int(left)], "x")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_decode__damaged_png(capfd) -> None:
    data = bytearray(KINDS["png"]())
    data[200] ^= 1
    with pytest.raises(InputError, match=r"x: PNG file is damaged: wrong checksum of the IDAT chunk at byte \d+"):
        decode_image(bytes(data), "x")
    assert capfd.readouterr().err == ""


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def test_decode__png_with_damage_that_does_not_matter(capfd) -> None:
    data = KINDS["png"]()
    noisy = data[:33] + chunk(b"iCCP", b"x\0\0junk") + chunk(b"tEXt", b"a\0b", checksum=5) + data[33:]
    np.testing.assert_array_equal(decode_image(noisy, "x"), RGB)
    assert capfd.readouterr().err == ""


def bare_png(width: int, height: int, rows: bytes = b"\0" * 100) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


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
    pytest.param(b"BM", "BMP file ends early", id="bm"),
    pytest.param(b"\xff\xd8\xff\xd9", "JPEG file holds no picture", id="jpeg of nothing"),
    pytest.param(b"\xff\xd8\xff\xe0\0\0" + b"\xff\xe0\0\0" * 9, "JPEG file ends early", id="jpeg of markers"),
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
