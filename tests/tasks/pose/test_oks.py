import numpy as np
import pytest
from helpers_metrics import recorded

from sapiens.tasks.pose.keypoints import PARTS, SIGMAS
from sapiens.tasks.pose.oks import extents, oks_nms, similarities

GOLDEN = recorded("metrics_pose.npz")


def test_tables__sigmas_and_subsets_are_the_recorded_ones():
    np.testing.assert_allclose(SIGMAS, GOLDEN["sigmas"], rtol=1e-6)
    for part in ("body", "foot", "face", "left_hand", "right_hand"):
        assert set(PARTS[part]) == set(GOLDEN[f"ids/{part}"].tolist())


def test_oks_nms__keeps_the_recorded_people():
    points = GOLDEN["nms/keypoints"][..., :2]
    np.testing.assert_allclose(extents(points), GOLDEN["nms/area"])
    np.testing.assert_array_equal(oks_nms(points, GOLDEN["nms/score"], SIGMAS), GOLDEN["nms/keep_thr0.9"])


def test_similarities__are_the_recorded_ones():
    """The recorded matrix compares found people with each other, at the mean of their two extents."""
    points, areas = GOLDEN["nms/keypoints"][..., :2], GOLDEN["nms/area"]
    truth = np.concatenate([points, np.full((*points.shape[:2], 1), 2.0)], -1)
    box = np.zeros((1, 4))
    for g, d in np.ndindex(GOLDEN["nms/oks"].shape):
        area = np.array([(areas[g] + areas[d]) / 2])
        got = similarities(points[d : d + 1], truth[g : g + 1], box, area, SIGMAS)[0, 0]
        assert got == pytest.approx(GOLDEN["nms/oks"][g, d], rel=1e-4, abs=1e-7)


def test_similarities__by_hand():
    truth = np.array([[[0, 0, 2], [10, 0, 1], [5, 5, 0]]], float)
    found = np.array([[[0, 3], [10, 4], [99, 99]], [[np.nan, 0], [10, 0], [5, 5]]], float)
    got = similarities(found, truth, np.array([[0, 0, 10, 10]]), np.array([100.0]), [0.1, 0.2, 0.1])
    want = (np.exp(-9 / (8 * 0.01 * 100)) + np.exp(-16 / (8 * 0.04 * 100))) / 2
    np.testing.assert_allclose(got, [[want], [0.5]], rtol=1e-12)


def test_similarities__nothing_labelled_counts_from_three_times_the_box():
    truth = np.zeros((1, 2, 3))
    found = np.array([[[-10, 20], [5, 5]], [[22, 5], [5, 5]]], float)
    got = similarities(found, truth, np.array([[0, 0, 10, 10]]), np.array([100.0]), [0.1, 0.1])
    np.testing.assert_allclose(got, [[1], [(1 + np.exp(-4 / 8)) / 2]])


@pytest.mark.parametrize(
    ("word", "points", "want"),
    [
        ("a box", [[0, 0], [3, 4]], 12),
        ("NaN is left out", [[0, 0], [3, 4], [np.nan, 99]], 12),
        ("all NaN", [[np.nan, np.nan]], 0),
        ("one point", [[2, 2]], 0),
    ],
)
def test_extents__known_cases(word, points, want):
    assert extents(np.array([points], float)).tolist() == [want]


def test_oks_nms__nobody():
    assert oks_nms(np.empty((0, 308, 2)), np.empty(0), SIGMAS).tolist() == []
