import numpy as np
import pytest

from sapiens.tasks.matting.matte_errors import connectivity_error, gradient_error, gradient_length, largest_region


def alpha(*rows):
    return np.array(rows, np.float32)


def test_gradient_length__of_a_ramp_is_its_slope_times_the_gain():
    """A kernel of unit energy, bell(y) * x bell(x): on a ramp of slope 1 it gives the sum of bell(y) * x^2 bell(x)."""
    at = np.arange(-4, 5)
    bell = np.exp(-(at**2) / (2 * 1.4**2))
    gain = bell.sum() * (at**2 * bell).sum() / np.sqrt((bell**2).sum() * ((at * bell) ** 2).sum())
    ramp = np.tile(np.arange(30) / 30, (30, 1))
    np.testing.assert_allclose(gradient_length(ramp)[10:20, 10:20], gain / 30, rtol=1e-9)
    np.testing.assert_allclose(gradient_length(ramp.T)[10:20, 10:20], gain / 30, rtol=1e-9)


def test_gradient_length__constant_mattes_have_none():
    np.testing.assert_allclose(gradient_length(np.full((12, 9), 0.7)), 0, atol=1e-12)


def test_gradient_error__same_gradients_elsewhere_in_value_cost_nothing():
    ramp = np.tile(np.arange(30) / 60, (20, 1))
    assert gradient_error(ramp + 0.3, ramp) == pytest.approx(0, abs=1e-12)
    slope = gradient_length(ramp)
    assert gradient_error(np.zeros_like(ramp), ramp) == pytest.approx((slope**2).sum() / 1000)


@pytest.mark.parametrize(
    ("word", "pred", "truth", "want"),
    [
        ("same", alpha([1, 1, 0.5, 0]), alpha([1, 1, 0.5, 0]), 0),
        # A blob of its own: level 0 where the others are 1, so connectedness 0; the truth has nothing there.
        ("an island of 2", alpha([1, 1, 1, 0, 1, 1]), alpha([1, 1, 1, 0, 0, 0]), 2),
        # Level 0 at the last pixel (the truth is 0): 0.1 above it is tolerated, 0.2 is not.
        ("below the threshold", alpha([1, 1, 0.1]), alpha([1, 1, 0]), 0),
        ("above the threshold", alpha([1, 1, 0.2]), alpha([1, 1, 0]), 0.2),
        ("at the threshold", alpha([1, 1, 0.15]), alpha([1, 1, 0]), 0.15),
        # Both reach 0.5, so the level is 0.5: the prediction lies 0.3 above it, the truth 0.
        ("above the common level", alpha([1, 1, 0.8]), alpha([1, 1, 0.5]), 0.3),
        # Connected at 0.4 and below, cut off above: level 0.4; both lie 0.6 above it.
        ("behind a thin bridge in both", alpha([1, 1, 0.4, 1]), alpha([1, 1, 0.4, 1]), 0),
        # The truth's bridge is whole, the prediction's 0: level 0 behind it, and 1 - 1 against 1 - 1.
        ("a cut bridge costs its own pixel", alpha([1, 1, 0, 1]), alpha([1, 1, 1, 1]), 1),
        ("nothing at all", alpha([0, 0, 0]), alpha([0, 0, 0]), 0),
        ("everything", alpha([1, 1, 1]), alpha([1, 1, 1]), 0),
    ],
)
def test_connectivity_error__known_cases(word, pred, truth, want):
    assert 1000 * connectivity_error(pred, truth) == pytest.approx(want, abs=1e-6)


def test_largest_region__diagonal_neighbours_are_apart():
    mask = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_array_equal(largest_region(mask), [[0, 0, 0], [0, 1, 1], [0, 0, 0]])
    assert not largest_region(np.zeros((2, 2), bool)).any()
