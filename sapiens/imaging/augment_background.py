"""Other backgrounds for people who are cut out: from a folder of pictures, or made up."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import SapiensError
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.read import IMAGE_SUFFIXES, read_image
from sapiens.imaging.sample import Sample

FLATTEST = 1e-6
"""Standard deviations are taken as at least this."""


def draw_background(rng: np.random.Generator, size_hw: tuple[int, int], folder: str) -> ImageU8:
    """A background of this size.

    Args:
        rng: decides which.
        size_hw: height and width.
        folder: of pictures, searched with all folders below it; "": a made-up one, see `make_background`.

    Raises:
        SapiensError: no such folder, or no pictures in it.
        InputError: the drawn picture cannot be read.
    """
    if not folder:
        return make_background(rng, size_hw)
    files = list_backgrounds(folder)
    return cover(read_image(files[int(rng.integers(len(files)))]), size_hw)


@lru_cache(maxsize=8)
def list_backgrounds(folder: str) -> tuple[Path, ...]:
    """All pictures of a folder, in the order of their names.

    Raises:
        SapiensError: no such folder, or no pictures in it. It is not an `InputError`: no other record would do better.
    """
    base = Path(folder).expanduser()
    if not base.is_dir():
        raise SapiensError(f"augment.backgrounds: {folder}: no such folder")
    files = tuple(path for path in sorted(base.rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise SapiensError(f"augment.backgrounds: {folder}: holds no pictures ({', '.join(IMAGE_SUFFIXES)})")
    return files


def cover(image: ImageU8, size_hw: tuple[int, int]) -> ImageU8:
    """Resized to the height; cut to the width about the centre, or stretched to it where it is too narrow."""
    height, width = size_hw
    columns = max(width, round(image.shape[1] * height / image.shape[0]))
    how = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    resized = cv2.resize(image, (columns, height), interpolation=how)
    left = (columns - width) // 2
    return np.ascontiguousarray(resized[:, left : left + width], np.uint8)


def make_background(rng: np.random.Generator, size_hw: tuple[int, int]) -> ImageU8:
    """Coloured noise from coarse to fine: blurred patches of light and colour, like something out of focus."""
    height, width = size_hw
    total = np.zeros((height, width, 3), np.float32) + rng.uniform(40, 215, 3).astype(np.float32)
    cells, strength = 2, float(rng.uniform(20, 70))
    fall = float(rng.uniform(0.3, 0.8))
    while cells <= min(64, max(height, width)):
        noise = rng.standard_normal((cells, cells, 3), dtype=np.float32)
        total += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells, strength = 2 * cells, strength * fall
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


def swap_background(sample: Sample, background: ImageU8, foreground: npt.NDArray[np.bool_]) -> Sample:
    """The picture's foreground before another background, its colours moved towards it.

    Args:
        sample: any.
        background: of the picture's size.
        foreground: (H, W), the pixels that stay.
    """
    image = np.where(foreground[..., None], sample.image, background)
    return dataclasses.replace(sample, image=transfer_colours(image, foreground))


def transfer_colours(image: ImageU8, foreground: npt.NDArray[np.bool_]) -> ImageU8:
    """The foreground with the background's mean and spread of lightness and colours, in 8-bit Lab.

    Nothing happens where one of the two is empty. Source: Reinhard et al., "Color Transfer between Images", 2001.

    Args:
        image: (H, W, 3) uint8 RGB.
        foreground: (H, W) bool.
    """
    if foreground.all() or not foreground.any():
        return image
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    ours, theirs = lab[foreground].astype(np.float64), lab[~foreground].astype(np.float64)
    spread = np.maximum(theirs.std(0), FLATTEST) / np.maximum(ours.std(0), FLATTEST)
    moved = np.abs((ours - ours.mean(0)) * spread + theirs.mean(0))
    lab[foreground] = np.minimum(np.rint(moved), 255).astype(np.uint8)
    coloured = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(np.where(foreground[..., None], coloured, image), np.uint8)


def composite(foreground: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32], background: ImageU8) -> ImageU8:
    """Put a matte before a background, adding light: encode(decode(F) + (1 - alpha) decode(B)).

    Args:
        foreground: (H, W, 3) RGB in 0..1, the display value already multiplied by alpha.
        alpha: (H, W), 0..1.
        background: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 RGB, truncated as the original does.
    """
    table = to_linear(np.arange(256, dtype=np.float32) / 255)
    light = to_linear(foreground) + (1 - alpha[..., None]) * table[background]
    # Half a thousandth of a level: 255 * encode(decode(v / 255)) may lie just below v.
    levels: ImageU8 = np.clip(255 * to_display(light) + 5e-4, 0, 255).astype(np.uint8)
    return levels


def to_linear(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """sRGB display values in 0..1 to linear light (IEC 61966-2-1)."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_display(light: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Inverse of `to_linear`."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)
