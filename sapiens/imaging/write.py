"""Writing files that appear whole or not at all."""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError

_PLAIN, _ALPHA, _DEEP = "8-bit grey or RGB", "RGBA", "16-bit grey"


@dataclass(frozen=True)
class _Format:
    """What a picture format holds, and how OpenCV writes it."""

    holds: tuple[str, ...] = (_PLAIN, _ALPHA, _DEEP)
    max_side: int = 1_000_000
    options: tuple[int, ...] = ()


_PNG = _TIFF = _Format()
_JPEG = _Format((_PLAIN,), 65_500, (cv2.IMWRITE_JPEG_QUALITY, 95))
_WEBP = _Format((_PLAIN, _ALPHA), 16_383, (cv2.IMWRITE_WEBP_QUALITY, 101))  # above 100 is lossless
_FORMATS = {".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG, ".webp": _WEBP, ".tif": _TIFF, ".tiff": _TIFF}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder with the same suffix, renamed to `path` at the end.

    Missing folders are created. On any exception, Ctrl-C included, the temporary file is removed and `path` stays as it
    was. The temporary name starts with a dot, so that folder scans pass it by.

    Raises:
        InputError: an OSError in the block or in renaming: no permission, disk full, `path` is a folder.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        _remove(temporary)


def write_bytes(path: str | Path, data: bytes | memoryview) -> Path:
    """Write a file; returns its path.

    Raises:
        InputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_npz(path: str | Path, arrays: Mapping[str, npt.ArrayLike]) -> Path:
    """Write arrays by name as a compressed npz; equal arrays give equal bytes. Returns the path.

    Raises:
        InputError: an array of Python objects (it would need pickle), or the file cannot be written.
    """
    values = {name: np.asarray(array) for name, array in arrays.items()}
    for name, value in values.items():
        if value.dtype.hasobject:
            raise InputError(f"{path}: {name} holds Python objects; an npz of plain arrays was expected")
    # zipfile dates entries opened by name 1980-01-01, so no time of day gets in.
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in values.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, value, allow_pickle=False)
    return Path(path)


def write_image(path: str | Path, image: npt.NDArray[Any]) -> Path:
    """Write a picture in the format of its suffix: .png, .jpg, .jpeg (quality 95), .webp (lossless), .tif, .tiff.

    Args:
        path: where; missing folders are created.
        image: uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA with straight alpha, or uint16 (H, W) grey. JPEG takes
            neither alpha nor 16 bits, WebP no 16 bits.

    Returns:
        the path.

    Raises:
        InputError: an unknown suffix, an array the format does not hold, or the file cannot be written.
    """
    return write_bytes(path, encode_image(image, Path(path).suffix, name=str(path)))


def encode_image(image: npt.NDArray[Any], suffix: str, *, name: str = "image") -> bytes:
    """The bytes `write_image` writes for this suffix; `name` is for errors."""
    form = _FORMATS.get(suffix.lower())
    if form is None:
        raise InputError(f"{name}: unknown picture format {suffix!r}; known: {', '.join(_FORMATS)}")
    kind = _kind(image, name)
    if kind not in form.holds:
        raise InputError(f"{name}: {suffix} cannot hold {kind}, only {', '.join(form.holds)}", hint="write a .png")
    size = f"{image.shape[1]}x{image.shape[0]}"
    if max(image.shape) > form.max_side:
        raise InputError(f"{name}: {suffix} takes {form.max_side} pixels a side, not {size}", hint="write a .png")
    done, encoded = cv2.imencode(suffix, _to_opencv(image), form.options)
    if not done:
        raise InputError(f"{name}: OpenCV {cv2.__version__} cannot write {size} pixels as {suffix}")
    return bytes(encoded)


def _kind(image: npt.NDArray[Any], name: str) -> str:
    shape, dtype = image.shape, image.dtype
    if len(shape) in (2, 3) and min(shape) > 0:
        if dtype == np.uint16 and len(shape) == 2:
            return _DEEP
        if dtype == np.uint8 and (len(shape) == 2 or shape[2] == 3):
            return _PLAIN
        if dtype == np.uint8 and shape[2] == 4:
            return _ALPHA
    expected = "uint8 (H, W), (H, W, 3) or (H, W, 4), or uint16 (H, W)"
    raise InputError(f"{name}: cannot write {dtype} of shape {shape} as a picture; expected {expected}")


def _to_opencv(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if image.ndim == 2:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA))


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        # Its folder is gone or never was; the error that led here is the one to report.
        return
