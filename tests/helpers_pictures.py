"""Small picture files of every kind, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

_COARSE = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
RGB = cv2.resize(_COARSE, (40, 56), interpolation=cv2.INTER_CUBIC)
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


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def bare_png(width: int, height: int, rows: bytes = b"\0" * 100) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
