"""Colours from numbers, and the few ways in which pictures of results are put together."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8

ColourRGB = tuple[int, int, int]
"""Red, green, blue, each 0..255."""


def to_picture(unit: npt.NDArray[np.floating[Any]], *, rounded: bool = False) -> ImageU8:
    """Levels 0..255 from values 0..1.

    Args:
        unit: finite floats of any shape; values outside 0..1 are clipped.
        rounded: to the nearest level. The default truncates, as the original's pictures do: 0.999 becomes 254.

    Returns:
        uint8, the same shape.
    """
    levels: npt.NDArray[Any] = np.clip(unit, 0, 1)
    levels *= 255
    if rounded:
        np.rint(levels, out=levels)
    picture: ImageU8 = levels.astype(np.uint8)
    return picture


def paint(labels: npt.NDArray[np.uint8], palette_rgb: ImageU8) -> ImageU8:
    """The colour of every label.

    Args:
        labels: (H, W) uint8.
        palette_rgb: (256, 3) uint8, one colour per possible label.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return palette_rgb[labels]


def blend(image: ImageU8, colours: ImageU8, opacity: float) -> ImageU8:
    """`colours` over `image`: image * (1 - opacity) + colours * opacity, rounded.

    Args:
        image, colours: (H, W, 3) uint8 of the same size and channel order.
        opacity: 0 shows the image alone, 1 the colours alone.

    Raises:
        InputError: sizes that differ, or an opacity outside 0..1.
    """
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity: expected a number from 0 to 1, got {opacity}")
    if image.shape != colours.shape:
        raise InputError(f"cannot blend pictures of shapes {image.shape} and {colours.shape}")
    return np.asarray(cv2.addWeighted(image, 1 - opacity, colours, opacity, 0), np.uint8)


def fill_outside(picture: ImageU8, mask: npt.NDArray[np.bool_] | None, fill: ColourRGB | ImageU8) -> ImageU8:
    """The picture where the mask is True, something else where it is not.

    Args:
        picture: (H, W, 3) uint8.
        mask: (H, W) bool; None leaves the picture as it is.
        fill: a colour, or a picture of the same size.
    """
    if mask is None:
        return picture
    return np.where(mask[..., None], picture, np.asarray(fill, np.uint8))


def side_by_side(*panels: npt.NDArray[np.uint8]) -> ImageU8:
    """Panels in a row, left to right.

    Args:
        panels: (H, W, 3) uint8 RGB or (H, W) uint8 grey, all of one height.

    Raises:
        InputError: heights that differ.
    """
    heights = [panel.shape[0] for panel in panels]
    if len(set(heights)) != 1:
        raise InputError(f"panels beside each other need one height, got {heights}")
    return np.concatenate([p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in panels], axis=1)
