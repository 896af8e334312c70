"""Reading pictures, to the very pixels that `cv2.imread` gives the original pipeline, with clear errors for the rest.

Eight bits per channel, alpha dropped, 16 bits reduced, EXIF rotation applied, first picture of an animation or a
multi-page file. WebP is the one exception: OpenCV 4 ignores its EXIF rotation, OpenCV 5 and this module apply it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from sapiens.errors import InputError
from sapiens.imaging.containers import open_container
from sapiens.imaging.frame import Frame, ImageU8

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""Lower case; compare with `path.suffix.lower()`."""

DEFAULT_MAX_PIXELS = 160_000_000
"""480 MB once decoded; checked before anything is."""


def read_image(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageU8:
    """Decode a picture file.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP or GIF, told by its content, whatever its suffix.
        max_pixels: refuse larger pictures, by their header.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: missing, not readable, empty, no picture, cut off, damaged or too large; the message names the file.
    """
    # Uncompressed 16-bit RGBA takes 8 bytes a pixel; a larger file is none that could be decoded.
    return decode_image(_read_bytes(Path(path), limit=8 * max_pixels + (64 << 20)), str(path), max_pixels=max_pixels)


def decode_image(data: bytes, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageU8:
    """Decode the bytes of a picture file, as `read_image` does; `name` is for errors."""
    if not data:
        raise InputError(f"{name}: the file is empty")
    found = open_container(data, name)
    _check_pixels(found.size_hw, name, max_pixels)
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if found.format == "WebP" else 0)
    try:
        image_bgr = cv2.imdecode(np.frombuffer(found.data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(_undecodable(name, found.format)) from error
    if image_bgr is None:
        raise InputError(_undecodable(name, found.format))
    image: ImageU8 = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)
    return _turn(image, found.orientation)


def to_frame(source: Any, index: int = 0, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Frame:
    """A frame from whatever a user hands over.

    Args:
        source: a path (str or Path), a PIL image of any common mode (its EXIF rotation is applied, its alpha dropped),
            an (H, W, 3) uint8 RGB array, the bytes of a picture file, or a Frame (returned as it is).
        index: position among the pictures of the call.
        max_pixels: refuse larger files and PIL images.

    Returns:
        the frame; its id is the path, or "array-0", "image-0", "bytes-0" with the index.

    Raises:
        InputError: anything else, or a picture that cannot be read.
    """
    if isinstance(source, Frame):
        return source
    if isinstance(source, str | Path):
        return Frame(read_image(source, max_pixels=max_pixels), str(source), index, path=Path(source))
    if isinstance(source, Image.Image):
        path = os.fsdecode(getattr(source, "filename", "")) or None
        name = path or f"image-{index}"
        return Frame(_from_pillow(source, name, max_pixels), name, index, path=Path(path) if path else None)
    if isinstance(source, np.ndarray):
        return Frame(_from_array(source, f"array-{index}"), f"array-{index}", index)
    if isinstance(source, bytes | bytearray | memoryview):
        name = f"bytes-{index}"
        return Frame(decode_image(bytes(source), name, max_pixels=max_pixels), name, index)
    raise InputError(
        f"picture {index}: cannot use {type(source).__name__}; expected a path, a PIL image, an (H, W, 3) uint8 RGB "
        "array or the bytes of a file"
    )


def _read_bytes(path: Path, limit: int) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path}: a folder; expected a picture file")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: neither a file nor a folder; expected a picture file")
        size = path.stat().st_size
        if size > limit:
            raise InputError(f"{path}: {size} bytes are more than any picture within the pixel limit has ({limit})")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file or folder") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"{path}: cannot be read ({reason or error})") from error


def _check_pixels(size_hw: tuple[int, int], name: str, max_pixels: int) -> None:
    height, width = size_hw
    if height * width > max_pixels:
        raise InputError(
            f"{name}: {width}x{height} pixels are more than the limit of {max_pixels}",
            hint="make the picture smaller, or raise max_pixels",
        )


def _undecodable(name: str, form: str) -> str:
    return f"{name}: damaged {form} file, or a kind of {form} that OpenCV {cv2.__version__} cannot decode"


def _turn(image: ImageU8, orientation: int) -> ImageU8:
    """Apply EXIF orientation 1..8."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _from_pillow(image: Image.Image, name: str, max_pixels: int) -> ImageU8:
    _check_pixels((image.height, image.width), name, max_pixels)
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            return _grey_to_rgb(np.asarray(upright).astype(np.uint16) >> 8)
        if upright.mode == "I":
            return _grey_to_rgb(_reduce(np.asarray(upright), name))
        if upright.mode == "F":
            raise InputError(f"{name}: floating-point PIL image (mode F); expected 8 or 16 bits per channel")
        # Through RGBA, as Pillow warns when it drops a palette's transparency on the way to RGB.
        plain = upright.convert("RGBA") if upright.mode in ("P", "PA", "La", "RGBa") else upright
        return np.array(plain.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: PIL image of mode {image.mode} cannot be decoded ({error})") from error


def _reduce(values: npt.NDArray[np.int32], name: str) -> npt.NDArray[Any]:
    """Mode I holds 16-bit pictures in 32-bit integers."""
    if values.min() < 0 or values.max() > 0xFFFF:
        raise InputError(f"{name}: PIL image of 32-bit integers beyond 0..65535; expected 8 or 16 bits per channel")
    return values >> 8


def _grey_to_rgb(grey: npt.NDArray[Any]) -> ImageU8:
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _from_array(array: npt.NDArray[Any], name: str) -> ImageU8:
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return np.ascontiguousarray(array)
    raise InputError(
        f"{name}: {array.dtype} array of shape {array.shape}; expected uint8 (H, W, 3), RGB", hint=_advice(array)
    )


def _advice(array: npt.NDArray[Any]) -> str | None:
    """How to get from a near miss to what is expected."""
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
        return "grey: np.repeat(grey.reshape(*grey.shape[:2], 1), 3, axis=2)"
    if array.ndim == 4:
        return "a batch: pass a list of (H, W, 3) arrays"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (3, 4):
        return "channels first: array.transpose(1, 2, 0)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "with alpha: array[..., :3]"
    if array.dtype.kind == "f":
        return "floats in 0..1: (array * 255).round().astype(np.uint8)"
    return None
