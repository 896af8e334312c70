import numpy as np
import pytest

from sapiens.tasks.seg.boundary import boundary_scores, outline


def square(low, high, size=60, value=1):
    labels = np.zeros((size, size), np.uint8)
    labels[low:high, low:high] = value
    return labels


def test_outline__is_the_inner_edge_and_not_that_of_the_picture():
    part = square(0, 3, size=5).astype(bool)
    want = np.zeros((5, 5), bool)
    want[2, :3] = want[:3, 2] = True
    np.testing.assert_array_equal(outline(part, np.ones((5, 5), bool)), want)


def test_outline__an_edge_towards_the_unknown_is_none():
    part = square(0, 3, size=5).astype(bool)
    known = np.ones((5, 5), bool)
    known[:, 3:] = False
    want = np.zeros((5, 5), bool)
    want[2, :3] = True
    np.testing.assert_array_equal(outline(part & known, known), want)


@pytest.mark.parametrize(
    ("word", "shift", "want"),
    [("same", 0, 1), ("within the tolerance", 1, 1), ("far beyond it", 25, 0)],
)
def test_boundary_scores__by_distance(word, shift, want):
    """A picture of 60x60 has a diagonal of 85 pixels: 0.64 pixels of tolerance, of which at least one is granted."""
    label = square(10, 20)
    pred = np.roll(label, shift, (0, 1)) if shift > 1 else np.roll(label, shift, 0)
    assert boundary_scores(pred, label) == {0: pytest.approx(want, abs=0.1), 1: want}


def test_boundary_scores__half_of_an_outline_by_hand():
    """Two halves of a picture: the true edge runs down the middle, the predicted one for half of its height."""
    label = np.zeros((20, 20), np.uint8)
    label[:, 10:] = 1
    pred = label.copy()
    pred[10:, :] = 0  # the lower half is all background
    scores = boundary_scores(pred, label)
    # Class 1: its drawn outline is 10 pixels down and 10 to the right of the corner, which belongs to both. Of the
    # drawn 19, 11 lie within 1 of the true 20; of the true 20, 10 and the one below the corner lie within 1 of it.
    precision, recall = 11 / 19, 11 / 20
    assert scores[1] == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize(
    ("word", "pred", "label", "want"),
    [
        ("one class fills both", np.zeros((9, 9)), np.zeros((9, 9)), {}),
        ("only predicted", square(3, 6, 9), np.zeros((9, 9)), {0: 0, 1: 0}),
        ("only labelled", np.zeros((9, 9)), square(3, 6, 9), {0: 0, 1: 0}),
        ("nothing known", np.zeros((9, 9)), np.full((9, 9), 255), {}),
    ],
)
def test_boundary_scores__odd_cases(word, pred, label, want):
    assert boundary_scores(pred.astype(np.uint8), label.astype(np.uint8)) == want


def test_boundary_scores__cutting_to_a_window_changes_nothing():
    random = np.random.default_rng(0)
    small_label, small_pred = square(5, 25), np.roll(square(5, 25), 2, 0)
    small_pred[8:12, 8:12] = random.integers(0, 2, (4, 4))
    big = [np.zeros((60, 60), np.uint8) for _ in range(2)]
    for canvas, source in zip(big, (small_pred, small_label), strict=True):
        canvas[20:60, 15:55] = source[:40, :40]
    assert boundary_scores(*big)[1] == boundary_scores(small_pred, small_label)[1]
