"""Annotations as files: pictures of numbers at their own depth, npy, npz, EXR, masks and cameras."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.datasets.json_files import read_json
from sapiens.errors import InputError, require
from sapiens.imaging.containers import open_container
from sapiens.imaging.read import DEFAULT_MAX_PIXELS

Array = npt.NDArray[Any]

PICTURES = (".png", ".tif", ".tiff", ".bmp")
"""Formats that keep numbers as they are."""
ARRAYS = (".npy", ".npz")
EXR = (".exr",)
UNREADABLE = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""What numpy raises for damaged arrays: a header that promises too much, a bad archive, an encrypted one."""
ROUNDING = 0.01
"""By how much filtering may have taken values out of 0..1."""
MIN_PIXELS = 16
"""Fewer known pixels teach nothing; the released training refuses such a picture too."""


def read_numbers(path: Path, names: Sequence[str] = (), *, colours: bool = False) -> Array:
    """An annotation whatever its kind of file, told by its suffix.

    Args:
        path: .npy; .npz with an array of one of the names (or a single one); .exr; else a picture.
        names: of the array in an npz.
        colours: a picture with a palette gives its colours, not the indices.

    Returns:
        (H, W) or (H, W, C) in the file's own type, channels in the order R, G, B, A.

    Raises:
        InputError: missing, damaged, or of a kind that holds no numbers for each pixel.
    """
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        values = read_array(path, names)
    else:
        values = read_exr(path) if suffix in EXR else read_levels(path, colours=colours)
    if values.ndim not in (2, 3) or values.dtype.kind not in "buif" or min(values.shape) < 1:
        raise InputError(f"{path}: {values.dtype} of shape {values.shape}; expected numbers (H, W) or (H, W, C)")
    return values


def read_array(path: Path, names: Sequence[str] = ()) -> Array:
    """The array of an npy, or one of the named ones (or the only one) of an npz; never unpickles.

    Raises:
        InputError: missing, damaged, or no such array.
    """
    try:
        # Opened here: numpy leaves its own file open when an npz is damaged.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            found = next((name for name in names if name in loaded.files), None)
            if found is None and len(loaded.files) == 1:
                found = loaded.files[0]
            if found is not None:
                return np.asarray(loaded[found])
            held = ", ".join(loaded.files) or "nothing"
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as an array ({error})") from error
    raise InputError(f"{path}: holds {held}; expected {' or '.join(names)}")


def read_levels(path: Path, *, colours: bool = False) -> Array:
    """A picture's stored levels: bool, 8 or 16 bits, (H, W), RGB or RGBA; a palette gives its indices or its colours.

    Raises:
        InputError: missing, damaged, or no picture.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    return decode_levels(data, str(path), colours=colours)


def decode_levels(data: bytes, name: str, *, colours: bool = False) -> Array:
    """As `read_levels`, from bytes; `name` is for errors."""
    if not data:
        raise InputError(f"{name}: the file is empty")
    found = open_container(data, name)
    height, width = found.size_hw
    if height * width > DEFAULT_MAX_PIXELS:
        raise InputError(f"{name}: {width}x{height} pixels are more than the limit of {DEFAULT_MAX_PIXELS}")
    if found.format in ("PNG", "TIFF", "BMP", "GIF"):
        exact = _exact(found.data, name, ("1",) if colours else ("1", "P"))
        if exact is not None:
            return exact
    try:
        levels = cv2.imdecode(np.frombuffer(found.data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        levels = None
    if levels is None:
        raise InputError(f"{name}: damaged {found.format} file, or a kind that OpenCV {cv2.__version__} cannot decode")
    if levels.ndim == 3 and levels.shape[2] in (3, 4):
        levels = cv2.cvtColor(levels, cv2.COLOR_BGR2RGB if levels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return np.asarray(levels)


def _exact(data: bytes, name: str, modes: Sequence[str]) -> Array | None:
    """Numbers of pictures in these Pillow modes: OpenCV turns a palette into colours, and one bit into 0 and 255."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.array(picture) if picture.mode in modes else None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{name}: damaged picture ({error})") from error


def read_exr(path: Path) -> Array:
    """The channels of an OpenEXR file: (H, W, 3) from R, G, B or X, Y, Z; else (H, W) of its only channel, Z or Y.

    Raises:
        InputError: missing, damaged, or other channels.
        MissingDependencyError: OpenEXR is not installed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    library = require("OpenEXR", "formats")
    try:
        with library.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(channel.pixels) for name, channel in file.channels().items()}
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{path}: cannot be read as OpenEXR ({error})") from error
    by_last = {name.rpartition(".")[2].upper(): values for name, values in channels.items()}
    for trio in ("RGB", "XYZ"):
        if all(name in by_last for name in trio):
            return np.stack([by_last[name] for name in trio], -1)
    single = list(by_last.values()) if len(by_last) == 1 else [by_last[n] for n in "ZY" if n in by_last]
    if not single:
        raise InputError(f"{path}: has the channels {', '.join(channels)}; expected R, G, B or X, Y, Z or one alone")
    return single[0]


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Where the first channel of a picture or array is above 0.

    Raises:
        InputError: missing, damaged, or NaN in it.
    """
    values = read_numbers(path, ("mask",))
    first = values if values.ndim == 2 else values[..., 0]
    if first.dtype.kind == "f" and np.isnan(first).any():
        raise InputError(f"{path}: NaN in a mask")
    return np.asarray(first > 0)


def read_unit(path: Path, names: Sequence[str] = ()) -> npt.NDArray[np.float32]:
    """Values 0..1: integers divided by the largest of their type; floats as they are, or by 255 if any is well above 1.

    Raises:
        InputError: NaN, below 0 or above 255.
    """
    return to_unit(read_numbers(path, names, colours=True), str(path))


def to_unit(values: Array, name: str) -> npt.NDArray[np.float32]:
    """As `read_unit`, from an array; `name` is for errors."""
    if values.dtype.kind == "b":
        return values.astype(np.float32)
    if values.dtype.kind in "ui":
        if values.dtype not in (np.uint8, np.uint16):
            raise InputError(f"{name}: {values.dtype} values; expected 8 or 16 bits, or floats 0..1")
        return (values.astype(np.float64) / np.iinfo(values.dtype).max).astype(np.float32)
    low, high = float(values.min()), float(values.max())  # NaN if there is one
    if not (low >= -ROUNDING and high <= 255 + ROUNDING):
        raise InputError(f"{name}: values from {low:g} to {high:g}; expected 0..1 without NaN")
    return np.clip(values / (255 if high > 1 + ROUNDING else 1), 0, 1).astype(np.float32)


def read_camera(path: Path, name: str) -> npt.NDArray[np.float64]:
    """Intrinsics (3, 3) in pixels from a 3x3 text file, or from JSON.

    JSON is a 3x3 list, an object with fx, fy, cx, cy, an object with "intrinsics" (or "K"), or one by record name.

    Raises:
        InputError: missing, or no camera.
    """
    if path.suffix == ".json":
        content = read_json(path)
        if isinstance(content, dict) and name in content:
            content = content[name]
        return as_camera(content, str(path))
    try:
        return as_camera(np.loadtxt(path, ndmin=2), str(path))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as a 3x3 matrix ({error})") from error


def as_camera(content: Any, where: str) -> npt.NDArray[np.float64]:
    """A camera matrix from its JSON forms; see `read_camera`.

    Raises:
        InputError: not such a matrix.
    """
    if isinstance(content, dict):
        content = content.get("intrinsics", content.get("K", content))
    if isinstance(content, dict) and {"fx", "fy", "cx", "cy"} <= content.keys():
        fx, fy, cx, cy = (content[key] for key in ("fx", "fy", "cx", "cy"))
        content = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    try:
        matrix = np.asarray(content, np.float64)
    except (ValueError, TypeError):
        matrix = np.zeros(0)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise InputError(f"{where}: expected a 3x3 camera matrix, or fx, fy, cx, cy")
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or not np.allclose(matrix[2], (0, 0, 1)):
        raise InputError(f"{where}: no camera matrix in pixels: {matrix.round(3).tolist()}")
    return matrix


def require_known(mask: npt.NDArray[np.bool_], what: str) -> None:
    """Raise unless enough pixels are known.

    Raises:
        InputError: fewer than `MIN_PIXELS`.
    """
    if int(mask.sum()) < MIN_PIXELS:
        raise InputError(f"{what} known at {int(mask.sum())} pixels only; expected at least {MIN_PIXELS}")
