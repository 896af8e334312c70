"""Colours from numbers, and panels."""

import cv2
import numpy as np
import pytest

from sapiens.drawing.palette import blend, fill_outside, paint, side_by_side, to_picture
from sapiens.errors import InputError


@pytest.mark.parametrize(
    ("value", "truncated", "rounded"),
    [
        pytest.param(0.0, 0, 0, id="black"),
        pytest.param(1.0, 255, 255, id="white"),
        pytest.param(0.999, 254, 255, id="just below white"),
        pytest.param(0.5, 127, 128, id="middle"),
        pytest.param(-0.1, 0, 0, id="below"),
        pytest.param(1.1, 255, 255, id="above"),
    ],
)
def test_to_picture__levels(value, truncated, rounded):
    unit = np.full((2, 3), value, np.float32)
    assert np.all(to_picture(unit) == truncated)
    assert np.all(to_picture(unit, rounded=True) == rounded)
    assert to_picture(unit).dtype == np.uint8
    assert np.all(unit == np.float32(value)), "the input stays as it is"


def test_to_picture__double_precision():
    assert to_picture(np.array([0.5, 2.0])).tolist() == [127, 255]


def test_paint__every_label_has_its_colour():
    palette = np.arange(768, dtype=np.uint32).reshape(256, 3).astype(np.uint8)
    labels = np.array([[0, 1], [28, 255]], np.uint8)
    painted = paint(labels, palette)
    assert painted.shape == (2, 2, 3)
    assert painted[1, 0].tolist() == palette[28].tolist()


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.5, 1.0])
def test_blend__is_a_rounded_mean(opacity):
    rng = np.random.default_rng(0)
    image, colours = rng.integers(0, 256, (2, 9, 7, 3), np.uint8)
    exact = image * (1 - opacity) + colours * opacity
    blended = blend(image, colours, opacity)
    assert blended.dtype == np.uint8
    assert np.abs(blended - exact).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(blended, cv2.addWeighted(image, 1 - opacity, colours, opacity, 0))


def test_blend__errors():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(InputError, match=r"0 to 1, got 1\.5"):
        blend(image, image, 1.5)
    with pytest.raises(InputError, match=r"\(2, 2, 3\) and \(1, 2, 3\)"):
        blend(image, image[:1], 0.5)


def test_fill_outside__colour_and_picture():
    picture = np.full((1, 2, 3), 9, np.uint8)
    mask = np.array([[True, False]])
    assert fill_outside(picture, mask, (1, 2, 3)).tolist() == [[[9, 9, 9], [1, 2, 3]]]
    assert fill_outside(picture, mask, picture + 1).tolist() == [[[9, 9, 9], [10, 10, 10]]]
    assert fill_outside(picture, mask, (1, 2, 3)).dtype == np.uint8
    assert fill_outside(picture, None, (1, 2, 3)) is picture


def test_side_by_side__grey_and_colour():
    colour = np.zeros((2, 3, 3), np.uint8)
    grey = np.full((2, 1), 7, np.uint8)
    row = side_by_side(colour, grey, colour)
    assert row.shape == (2, 7, 3)
    assert row[0, 3].tolist() == [7, 7, 7]


def test_side_by_side__heights_differ():
    with pytest.raises(InputError, match=r"one height, got \[2, 3\]"):
        side_by_side(np.zeros((2, 3, 3), np.uint8), np.zeros((3, 3, 3), np.uint8))
