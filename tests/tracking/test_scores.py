"""MOTA, IDF1 and switches on cases counted by hand."""

import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.tracking import score_tracks

A, B, FAR = [0, 0, 10, 20], [50, 0, 60, 20], [200, 0, 210, 20]


def frame(*rows):
    """(box, id) rows."""
    return np.array([box for box, _ in rows], float).reshape(-1, 4), np.array([number for _, number in rows], int)


TRUTH = [frame((A, 0), (B, 1))] * 4


@pytest.mark.parametrize(
    ("found", "mota", "idf1", "switches"),
    [
        pytest.param([frame((A, 7), (B, 9))] * 4, 1.0, 1.0, 0, id="perfect, other numbers"),
        pytest.param([frame((A, 7))] * 4, 0.5, 8 / 12, 0, id="one never found"),
        pytest.param([frame((A, 7), (B, 9), (FAR, 5))] * 4, 0.5, 16 / 20, 0, id="one who is not there"),
        pytest.param([frame((A, 7), (B, 9))] * 2 + [frame((A, 9), (B, 7))] * 2, 0.75, 0.5, 2, id="swapped half-way"),
        pytest.param([frame((A, 7), (B, 9))] * 2 + [frame((A, 8), (B, 9))] * 2, 0.875, 0.75, 1, id="new number"),
        pytest.param([frame()] * 4, 0.0, 0.0, 0, id="nothing"),
    ],
)
def test_score__counted_by_hand(found, mota: float, idf1: float, switches: int) -> None:
    scores = score_tracks(TRUTH, found)
    assert (scores.mota, scores.idf1, scores.switches) == (pytest.approx(mota), pytest.approx(idf1), switches)
    assert scores.boxes == 8


def test_score__a_gap_with_the_same_number_is_no_switch() -> None:
    found = [frame((A, 7), (B, 9)), frame((A, 7)), frame((A, 7)), frame((A, 7), (B, 9))]
    scores = score_tracks(TRUTH, found)
    assert (scores.switches, scores.misses, scores.false) == (0, 2, 0)


def test_score__box_too_far_off_is_a_miss_and_a_false_one() -> None:
    scores = score_tracks([frame((A, 0))], [frame(([8, 0, 18, 20], 1))])
    assert (scores.misses, scores.false, scores.mota) == (1, 1, -1.0)


def test_score__refused() -> None:
    with pytest.raises(InputError, match="4 frames of truth, 3 of tracks"):
        score_tracks(TRUTH, TRUTH[:3])
    with pytest.raises(InputError, match="nothing to score"):
        score_tracks([frame()], [frame((A, 1))])
