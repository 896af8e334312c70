"""What a picture file says about itself before it is decoded: format, size, and whether all of it is there.

OpenCV fills the missing part of a cut-off JPEG with grey, and its libraries print to standard error about other damage.
Both are prevented by walking the file's own structure first, which costs a few per cent of decoding it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError


@dataclass(frozen=True, eq=False)
class Container:
    """A picture file that is whole as far as its structure tells.

    Attributes:
        format: "PNG", "JPEG", "WebP", "TIFF", "BMP" or "GIF".
        size_hw: height and width as stored, before any rotation.
        data: what to hand to the decoder: the file, less parts that only make it complain.
        orientation: EXIF orientation 1..8 that the decoder leaves to its caller.
    """

    format: str
    size_hw: tuple[int, int]
    data: bytes
    orientation: int = 1


class _StructureError(Exception):
    """What is wrong with a file; becomes an InputError that names the file."""


def open_container(data: bytes, name: str) -> Container:
    """Look at the bytes of a picture file.

    Args:
        data: the whole file.
        name: for errors.

    Raises:
        InputError: not a picture, cut off, damaged, or of a kind that does not become 8-bit RGB.
    """
    for magic, form, parse in _FORMATS:
        if data.startswith(magic) and (form != "WebP" or data[8:12] == b"WEBP"):
            try:
                found = parse(data)
            except _StructureError as error:
                raise InputError(f"{name}: {form} file {error}") from None
            except (struct.error, IndexError, ValueError, OverflowError) as error:
                raise InputError(f"{name}: {form} file is cut off or damaged, at {len(data)} bytes") from error
            if min(found.size_hw) < 1:
                raise InputError(f"{name}: {form} file says it is {found.size_hw[1]}x{found.size_hw[0]} pixels")
            return found
    kind = next((kind for at, magic, kind in _OTHERS if data.startswith(magic, at)), "not a picture")
    raise InputError(f"{name}: {kind}; expected PNG, JPEG, WebP, TIFF, BMP or GIF")


def _jpeg(data: bytes) -> Container:
    size_hw = (0, 0)
    at = 2
    while True:
        at = data.index(b"\xff", at) + 1
        marker = data[at]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # stuffing and markers without a body
            continue
        if marker in (0xD9, 0xDA):
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width = struct.unpack_from(">BHH", data, at + 3)
            if depth != 8:
                raise _StructureError(f"has {depth} bits per channel; expected 8")
            size_hw = (height, width)
        at += 1 + struct.unpack_from(">H", data, at + 1)[0]
    if marker == 0xD9 or size_hw == (0, 0):
        raise _StructureError("holds no picture")
    # In coded picture data 0xFF is always followed by 0x00 or a restart marker, so this can only be the true end.
    if data.find(b"\xff\xd9", at) < 0:
        raise _StructureError(f"is cut off: no end marker in {len(data)} bytes")
    return Container("JPEG", size_hw, data)


def _png(data: bytes) -> Container:
    view = memoryview(data)
    kept, dropped, at, kind = [view[:8]], 0, 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        damaged = zlib.crc32(view[at + 4 : end - 4]) != checksum
        needed = kind[:1].isupper()
        if damaged and needed:
            raise _StructureError(f"is damaged: wrong checksum of the {kind.decode('latin-1')} chunk at byte {at}")
        # OpenCV ignores colour profiles, but libpng prints a warning about many of them.
        if damaged or kind == b"iCCP":
            dropped += 1
        else:
            kept.append(view[at:end])
        at = end
    width, height = struct.unpack_from(">II", data, 16)
    return Container("PNG", (height, width), b"".join(kept) if dropped else data)


def _webp(data: bytes) -> Container:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise _StructureError(f"is cut off: {len(data)} of {end} bytes")
    kind, size_hw, orientation, at = data[12:16], (0, 0), 1, 12
    if kind == b"VP8X":
        size_hw = (1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little"))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        size_hw = (1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF))
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        size_hw = (height & 0x3FFF, width & 0x3FFF)
    else:
        raise _StructureError("holds no picture")
    while at + 8 <= end:
        chunk, length = struct.unpack_from("<4sI", data, at)
        if chunk == b"EXIF":
            orientation = _exif_orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return Container("WebP", size_hw, data, orientation)


def _tiff(data: bytes) -> Container:
    fields = _directory(data)
    if 256 not in fields or 257 not in fields:
        raise _StructureError("has no picture size")
    for offsets, counts in ((273, 279), (324, 325)):  # strips, tiles
        if offsets in fields and counts in fields and len(fields[offsets]) == len(fields[counts]):
            end = int((fields[offsets] + fields[counts]).max(initial=0))
            if end > len(data):
                raise _StructureError(f"is cut off: {len(data)} of {end} bytes")
    bits, kind = int(fields.get(258, _ONE)[0]), int(fields.get(339, _ONE)[0])
    if kind == 3 or bits > 16:
        what = "floating-point" if kind == 3 else "integer"
        raise _StructureError(f"has {bits}-bit {what} values; expected 8 or 16 bits per channel")
    return Container("TIFF", (int(fields[257][0]), int(fields[256][0])), data)


def _bmp(data: bytes) -> Container:
    pixels, header = struct.unpack_from("<II", data, 10)
    if header not in (12, 40, 52, 56, 64, 108, 124):
        raise _StructureError("has no known header")
    if header == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    end = pixels + (width * depth + 31) // 32 * 4 * abs(height)
    if compression in (0, 3) and end > len(data):
        raise _StructureError(f"is cut off: {len(data)} of {end} bytes")
    return Container("BMP", (abs(height), width), data)


def _gif(data: bytes) -> Container:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _gif_colours(flags)
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _gif_colours(data[at + 9])
        elif data[at] == 0x21:
            at += 2
        else:
            raise _StructureError(f"is damaged at byte {at}")
        while data[at]:  # sub-blocks, each with its length in front
            at += 1 + data[at]
        at += 1
    return Container("GIF", (height, width), data)


def _gif_colours(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


_Fields = dict[int, npt.NDArray[Any]]
_ONE = np.ones(1, np.int64)
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}


def _directory(data: bytes) -> _Fields:
    """The integer fields of the first directory of a TIFF (or BigTIFF, or EXIF) structure, by tag."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise _StructureError("has no byte order")
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    word, counter, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    inline = struct.calcsize(word)
    (start,) = struct.unpack_from(order + word, data, inline)
    (number,) = struct.unpack_from(order + counter, data, start)
    first = start + struct.calcsize(counter)
    fields: _Fields = {}
    for at in range(first, first + number * entry, entry):
        tag, kind, count = struct.unpack_from(f"{order}HH{word}", data, at)
        if kind in _INTEGERS and count:
            values = at + entry - inline
            dtype = np.dtype(order + _INTEGERS[kind])
            if count * dtype.itemsize > inline:
                (values,) = struct.unpack_from(order + word, data, values)
            fields[tag] = np.frombuffer(data, dtype, count, values).astype(np.int64)
    return fields


def _exif_orientation(exif: bytes) -> int:
    """Orientation 1..8 by an EXIF block; 1 where it says nothing that can be understood."""
    try:
        value = int(_directory(exif.removeprefix(b"Exif\0\0")).get(274, _ONE)[0])
    except (_StructureError, struct.error, ValueError, OverflowError):
        return 1
    return value if 1 <= value <= 8 else 1


_FORMATS: tuple[tuple[bytes, str, Callable[[bytes], Container]], ...] = (
    (b"\xff\xd8\xff", "JPEG", _jpeg),
    (b"\x89PNG\r\n\x1a\n", "PNG", _png),
    (b"RIFF", "WebP", _webp),
    (b"II*\0", "TIFF", _tiff),
    (b"MM\0*", "TIFF", _tiff),
    (b"II+\0", "TIFF", _tiff),
    (b"MM\0+", "TIFF", _tiff),
    (b"GIF87a", "GIF", _gif),
    (b"GIF89a", "GIF", _gif),
    (b"BM", "BMP", _bmp),
)
_OTHERS = (
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyp", "a video"),
    (4, b"jP  \r\n", "a JPEG 2000 picture"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (8, b"AVI ", "a video"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip archive"),
)
