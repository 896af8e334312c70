"""OpenEXR plates: linear light in, eight bits of display out; mattes back as half floats.

The `formats` extra brings the OpenEXR package. OpenCV's own reader is switched off in its wheels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError, require
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.write import atomic_path

EXR_SUFFIX = ".exr"


def read_exr(path: str | Path) -> ImageU8:
    """Read the colours of an EXR as a display shows them.

    Args:
        path: a file whose first part has R, G and B, or Y, in linear light with the primaries of sRGB. Alpha is left
            out, values beyond 0..1 are clipped, and the data window is what is read.

    Returns:
        (H, W, 3) uint8 RGB, encoded with the sRGB curve (IEC 61966-2-1).

    Raises:
        InputError: missing, damaged, or without such channels.
        MissingDependencyError: OpenEXR is not installed.
    """
    exr = require("OpenEXR", "formats")
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        with exr.File(str(path)) as file:
            channels = {name: np.array(channel.pixels, np.float32) for name, channel in file.channels().items()}
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged, or no EXR picture ({' '.join(str(error).split())})") from error
    return _encode_srgb(_colours(channels, str(path)))


def write_exr(path: str | Path, image: npt.NDArray[np.float32]) -> Path:
    """Write (H, W, 4) float32 RGBA, linear and premultiplied as the format asks, or (H, W) alpha, as half floats.

    Raises:
        InputError: another shape, or the file cannot be written.
        MissingDependencyError: OpenEXR is not installed.
    """
    exr = require("OpenEXR", "formats")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 4):
        raise InputError(f"{path}: cannot write {image.shape} as EXR; expected (H, W, 4) or (H, W)")
    header: dict[str, Any] = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    half = np.ascontiguousarray(image, np.float16)
    with atomic_path(path) as temporary:
        try:
            exr.File(header, {"RGBA" if image.ndim == 3 else "A": half}).write(str(temporary))
        except RuntimeError as error:
            raise OSError(" ".join(str(error).split())) from error
    return Path(path)


def to_linear(display: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Linear light of values 0..1 encoded with the sRGB curve, float32."""
    curve = np.where(display <= 0.04045, display / 12.92, ((np.maximum(display, 0) + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)


def _colours(channels: dict[str, npt.NDArray[np.float32]], name: str) -> npt.NDArray[np.float32]:
    for key in ("RGB", "RGBA"):
        if key in channels:
            return channels[key][..., :3]
    if {"R", "G", "B"} <= channels.keys():
        return np.dstack([channels["R"], channels["G"], channels["B"]])
    if "Y" in channels:
        return np.repeat(channels["Y"].reshape(*channels["Y"].shape[:2], 1), 3, axis=2)
    raise InputError(f"{name}: holds the channels {', '.join(channels)}; expected R, G and B, or Y")


def _encode_srgb(linear: npt.NDArray[np.float32]) -> ImageU8:
    light = np.clip(np.nan_to_num(linear, nan=0.0), 0, 1)
    display = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray((display * 255 + 0.5).astype(np.uint8))
