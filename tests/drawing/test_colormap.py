"""The turbo colours against values published for them, and what lies outside 0..1."""

import numpy as np
import pytest

from sapiens.drawing.colormap import TURBO, turbo


@pytest.mark.parametrize(
    ("unit", "rgb"),
    [
        pytest.param(0.0, (48, 18, 59), id="far end, dark blue"),
        pytest.param(0.25, (40, 187, 235), id="a quarter"),
        pytest.param(0.5, (164, 252, 59), id="the middle, green"),
        pytest.param(1.0, (122, 4, 2), id="near end, dark red"),
        pytest.param(-3.0, (48, 18, 59), id="below"),
        pytest.param(7.0, (122, 4, 2), id="above"),
    ],
)
def test_turbo__known_values(unit, rgb):
    assert turbo(np.array(unit, np.float32)).tolist() == list(rgb)


def test_turbo__keeps_the_shape():
    colours = turbo(np.zeros((4, 0, 2), np.float64))
    assert colours.shape == (4, 0, 2, 3)
    assert colours.dtype == np.uint8


def test_turbo__a_value_takes_the_cell_it_lies_in():
    edges = np.arange(256) / 256
    np.testing.assert_array_equal(turbo(edges), TURBO)
    np.testing.assert_array_equal(turbo(edges + 0.999 / 256), TURBO)


def test_turbo__has_no_jumps():
    steps = np.abs(np.diff(TURBO.astype(int), axis=0))
    assert steps.max() <= 8
    assert len(np.unique(TURBO, axis=0)) == 256
