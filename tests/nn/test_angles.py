import math

import numpy as np
import pytest

from sapiens.nn.angles import THRESHOLDS_DEG, add_angles, angle_numbers, angles_deg
from sapiens.nn.sums import Sums


def numbers(*angles, reference=False):
    sums = Sums()
    add_angles(sums, np.array(angles, float))
    return angle_numbers(sums, reference=reference)


@pytest.mark.parametrize(
    ("word", "one", "other", "want"),
    [
        ("same", (0, 0, 1), (0, 0, 1), 0),
        ("same direction, other length", (0, 0, 1), (0, 0, 9), 0),
        ("right angle", (1, 0, 0), (0, 1, 0), 90),
        ("opposite", (1, 2, 3), (-1, -2, -3), 180),
        ("45 degrees", (1, 1, 0), (1, 0, 0), 45),
        ("no direction", (0, 0, 0), (1, 0, 0), 90),
    ],
)
def test_angles_deg__known_cases(word, one, other, want):
    np.testing.assert_allclose(angles_deg(np.array([one]), np.array([other])), [want], atol=2e-6)


def test_angle_numbers__by_hand():
    got = numbers(1, 5, 6, 10, 20, 40)
    assert got["mean_deg"] == pytest.approx(82 / 6)
    assert got["rmse_deg"] == pytest.approx(math.sqrt((1 + 25 + 36 + 100 + 400 + 1600) / 6))
    below = [got[f"percent_below_{limit:g}_deg"] for limit in THRESHOLDS_DEG]
    assert below == pytest.approx([100 / 6, 50, 100 * 4 / 6, 100 * 5 / 6, 100 * 5 / 6])  # 5 is not below 5


def test_median__of_many_is_exact_to_a_hundredth():
    angles = np.random.default_rng(0).gamma(2, 9, 100_001)
    angles = angles[angles < 180]
    assert numbers(*angles)["median_deg"] == pytest.approx(np.median(angles), abs=0.01)


def test_median__reference_is_the_centre_of_its_bin():
    assert numbers(0.1, 7.6, 30, reference=True)["median_deg"] == 7.75
    assert numbers(180, reference=True)["median_deg"] == 179.75


def test_angle_numbers__nothing_added_is_nan():
    assert all(math.isnan(value) for value in angle_numbers(Sums()).values())
