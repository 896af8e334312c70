"""Augmentations of the pixels of a picture: light, colour, sharpness, noise, compression. Geometry stays.

All take (H, W, 3) uint8 RGB and a generator, and return a new picture of the same size. They are those of the released
training; what its description leaves open (rounding of noise) is chosen so that the mean does not move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.augment import Range, check_settings, happens, uniform
from sapiens.imaging.frame import ImageU8

HUES = 180
"""OpenCV's 8-bit hue counts in steps of two degrees."""
FILTERS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)


@dataclass(frozen=True)
class Photometric:
    """Brightness, contrast, saturation and hue, as in SSD (Liu et al., 2016).

    Attributes:
        share: of the pictures that are distorted at all.
        step: of the distorted pictures, the share that each of the four steps changes.
        brightness: largest grey level added or taken away.
        contrast: factors on the levels.
        saturation: factors on the saturation.
        hue: largest turn of the hue, in steps of two degrees.
    """

    share: float = 1.0
    step: float = 0.5
    brightness: float = 32.0
    contrast: Range = (0.5, 1.5)
    saturation: Range = (0.5, 1.5)
    hue: int = 18

    def __post_init__(self) -> None:
        check_settings(self, ("share", "step"), ("contrast", "saturation"))
        if not (0 <= self.brightness <= 255 and 0 <= self.hue <= HUES // 2):
            got = f"{self.brightness} and {self.hue}"
            raise InputError(f"augment: brightness must lie in 0..255 and hue in 0..{HUES // 2}; got {got}")


def distort(image: ImageU8, rng: np.random.Generator, config: Photometric) -> ImageU8:
    """One draw of the four steps on a picture; see `draw_distortion`."""
    return draw_distortion(rng, config)(image)


def draw_distortion(rng: np.random.Generator, config: Photometric) -> Callable[[ImageU8], ImageU8]:
    """Draw the four steps once, for several pictures.

    Contrast comes second or last, by the toss of a coin. Values are cut to 0..255 and truncated after each step.
    """
    if not happens(rng, config.share):
        return np.copy
    early = happens(rng, 0.5)
    drawn = [happens(rng, config.step) for _ in range(4)]
    shift = uniform(rng, (-config.brightness, config.brightness))
    contrast, saturation = uniform(rng, config.contrast), uniform(rng, config.saturation)
    hue = int(rng.integers(-config.hue, config.hue + 1))

    def apply(image: ImageU8) -> ImageU8:
        image = _levels(image, 1, shift) if drawn[0] else image.copy()
        if drawn[1] and early:
            image = _levels(image, contrast, 0)
        if drawn[2] or drawn[3]:
            image = _turn_colours(image, saturation if drawn[2] else 1.0, hue if drawn[3] else 0)
        return _levels(image, contrast, 0) if drawn[1] and not early else image

    return apply


def _levels(image: npt.NDArray[np.uint8], factor: float, shift: float) -> ImageU8:
    # Through a table of the 256 levels: the same numbers as on every pixel, and far fewer of them.
    table = np.clip(np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(shift), 0, 255)
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)), np.uint8)


def _turn_colours(image: ImageU8, saturation: float, hue: int) -> ImageU8:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    tables = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 3))
    tables[:, 0] = (np.arange(256) + hue) % HUES
    tables[:, 1] = np.clip(np.arange(256) * np.float32(saturation), 0, 255).astype(np.uint8)
    turned = cv2.LUT(hsv, tables[None])
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8)


def gaussian_blur(image: ImageU8, rng: np.random.Generator, sigma: Range = (0.1, 2.0), kernel: int = 3) -> ImageU8:
    """A Gaussian kernel of this many pixels a side, its sigma drawn."""
    return np.asarray(cv2.GaussianBlur(image, (kernel, kernel), uniform(rng, sigma)), np.uint8)


def box_blur(image: ImageU8, rng: np.random.Generator, kernels: tuple[int, int] = (3, 7)) -> ImageU8:
    """The mean over an odd square whose side is drawn."""
    side = _odd(rng, kernels)
    return np.asarray(cv2.blur(image, (side, side)), np.uint8)


def median_blur(image: ImageU8, rng: np.random.Generator, kernels: tuple[int, int] = (3, 7)) -> ImageU8:
    """The median over an odd square whose side is drawn."""
    return np.asarray(cv2.medianBlur(image, _odd(rng, kernels)), np.uint8)


def _odd(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.choice(np.arange(bounds[0], bounds[1] + 1, 2)))


def add_noise(image: ImageU8, rng: np.random.Generator, variance: Range = (5.0, 20.0)) -> ImageU8:
    """Normal noise, independent in every value; the variance is drawn, in squared grey levels."""
    deviation = np.float32(np.sqrt(uniform(rng, variance)))
    noise = rng.standard_normal(image.shape, dtype=np.float32) * deviation
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def solarise(image: ImageU8, threshold: int = 128) -> ImageU8:
    """Levels from the threshold on are inverted."""
    levels = np.arange(256)
    table = np.where(levels >= threshold, 255 - levels, levels).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def compress(image: ImageU8, rng: np.random.Generator, quality: tuple[int, int] = (30, 60)) -> ImageU8:
    """Through JPEG; the quality is drawn."""
    setting = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(quality[0], quality[1] + 1))]
    _, data = cv2.imencode(".jpg", image[..., ::-1], setting)
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def lose_detail(image: ImageU8, rng: np.random.Generator, factor: Range = (0.1, 0.7)) -> ImageU8:
    """Shrunk by a drawn factor and enlarged again, each way with a filter drawn from `FILTERS`."""
    height, width = image.shape[:2]
    scale = uniform(rng, factor)
    small = max(1, round(width * scale)), max(1, round(height * scale))
    down, up = (FILTERS[int(rng.integers(len(FILTERS)))] for _ in range(2))
    shrunk = cv2.resize(image, small, interpolation=down)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=up), np.uint8)


def drop_out(image: ImageU8, rng: np.random.Generator, side: Range = (0.2, 0.4)) -> ImageU8:
    """One black rectangle inside the picture; height and width are drawn, as shares of the picture's.

    Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.
    """
    height, width = (max(1, round(size * uniform(rng, side))) for size in image.shape[:2])
    top, left = (int(rng.integers(size - hole + 1)) for size, hole in zip(image.shape, (height, width), strict=False))
    holed = image.copy()
    holed[top : top + height, left : left + width] = 0
    return holed
