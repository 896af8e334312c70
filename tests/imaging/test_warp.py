"""Crops from pictures larger than OpenCV's warp can address."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.imaging import warp
from sapiens.imaging.geometry import BoxCrop

OPENCV = cv2.__version__.split(".")[0]
SMALL = (128, 96)


def smooth_picture(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 255, (height // 10, width // 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_warp__large_pictures_are_windowed_to_the_same_pixels(monkeypatch) -> None:
    image = smooth_picture(900, 700)
    generator = np.random.default_rng(2)
    for left, top, width, height in generator.uniform((0, 0, 20, 20), (600, 800, 150, 200), (12, 4)):
        crop = BoxCrop.from_box((left, top, left + width, top + height), SMALL)
        whole = crop.apply(image)
        with monkeypatch.context() as patch:
            patch.setattr(warp, "MAX_SIDE", 600)
            windowed = crop.apply(image)
        difference = np.abs(whole.astype(int) - windowed)
        # OpenCV 5 computes positions in float32, so a shift moves them by a rounding step.
        assert difference.max() <= (0 if OPENCV == "4" else 1)
        assert difference.mean() < 1e-3


@pytest.mark.parametrize("upright", [True, False], ids=["tall", "wide"])
def test_box_crop__sides_beyond_16_bits(upright: bool) -> None:
    image = np.zeros((40000, 60, 3), np.uint8)
    image[35000:35040] = 255
    box = (10, 35000, 40, 35039)
    if not upright:
        image, box = np.ascontiguousarray(image.transpose(1, 0, 2)), (35000, 10, 35039, 40)
    crop = BoxCrop.from_box(box, SMALL)
    out = crop.apply(image)
    assert out[64, 48].tolist() == [255, 255, 255]
    assert 0 < out.mean() < 255


def test_box_crop__more_than_opencv_can_address() -> None:
    with pytest.raises(InputError, match="32766 at most"):
        BoxCrop.from_box((0, 0, 39999, 19), SMALL).apply(np.zeros((20, 40000, 3), np.uint8))
