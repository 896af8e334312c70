import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, meta, recorded, recorded_numbers, recorded_pairs, sample

from sapiens.errors import InputError
from sapiens.tasks.normal.metrics import Metrics
from sapiens.tasks.normal.result import NormalResult

RECORDED = {
    "mean_deg": "normal_mae",
    "median_deg": "normal_median_deg",
    "rmse_deg": "normal_rmse",
    "percent_below_5_deg": "within_5_0_deg",
    "percent_below_11.25_deg": "within_11_25_deg",
    "percent_below_22.5_deg": "within_22_5_deg",
    "percent_below_30_deg": "within_30_0_deg",
}


def result(normals, **kwargs):
    return NormalResult(meta=meta("normal", normals.shape[:2]), normals=normals.astype(np.float32), **kwargs)


def pairs():
    found = recorded_pairs(recorded("metrics_dense.npz"), "normal")
    return [
        (result(pred), sample(mask.shape, name=str(k), normals=truth, mask=mask))
        for k, (pred, truth, mask) in enumerate(found)
    ]


def test_metrics__reference_gives_the_recorded_numbers():
    metrics = Metrics("reference")
    for pred, truth in pairs():
        metrics.update(pred, truth)
    got, want = metrics.compute(), recorded_numbers("normal")
    assert {name: got[name] for name in RECORDED} == pytest.approx({k: want[v] for k, v in RECORDED.items()}, rel=1e-4)


def test_metrics__default_differs_in_the_median_alone():
    exact, binned = Metrics(), Metrics("reference")
    for pred, truth in pairs():
        exact.update(pred, truth)
        binned.update(pred, truth)
    assert {k for k, v in exact.compute().items() if v != binned.compute()[k]} == {"median_deg"}
    assert exact.compute()["median_deg"] == pytest.approx(binned.compute()["median_deg"], abs=0.25)


def test_metrics__same_numbers_however_split():
    assert_same_however_split(Metrics, pairs())


def flat(z=1.0, size=(4, 5)):
    return np.broadcast_to(np.array([0, 0, z], np.float32), (*size, 3)).copy()


def test_update__returns_the_mean_angle_of_the_picture():
    tilted = flat()
    tilted[:2] = (0, 1, 1)
    assert Metrics().update(result(tilted), sample((4, 5), normals=flat())) == pytest.approx(22.5)


def test_update__opencv_axes_are_turned_first():
    assert Metrics().update(result(flat(-1), opencv=True), sample((4, 5), normals=flat())) == pytest.approx(0, abs=1e-5)


def test_update__zero_vectors_of_the_truth_do_not_count():
    truth = flat()
    truth[0] = 0
    wrong = flat()
    wrong[0] = (1, 0, 0)
    metrics = Metrics()
    assert metrics.update(result(wrong), sample((4, 5), normals=truth)) == pytest.approx(0, abs=1e-5)
    assert metrics.sums.count("angles") == 15


def test_update__nothing_known_counts_nothing():
    metrics = Metrics()
    assert math.isnan(metrics.update(result(flat()), sample((4, 5), normals=flat(), mask=np.zeros((4, 5), bool))))
    assert math.isnan(metrics.compute()["mean_deg"])


def with_nan():
    normals = flat()
    normals[1, 1] = np.nan
    return normals


@pytest.mark.parametrize(
    ("word", "pred", "truth", "says"),
    [
        ("missing", flat(), {"alpha": np.zeros((4, 5), np.float32)}, "has no normals"),
        ("other size", flat(size=(5, 4)), {"normals": flat()}, "pixels"),
        ("NaN in the truth", flat(), {"normals": with_nan()}, "3 values of true normals"),
        ("NaN predicted", with_nan(), {"normals": flat()}, "3 values of predicted normals"),
    ],
)
def test_update__bad_pictures_raise_and_change_nothing(word, pred, truth, says):
    metrics = Metrics()
    metrics.update(result(flat()), sample((4, 5), normals=flat()))
    before = metrics.compute()
    with pytest.raises(InputError, match=f"odd.*{says}"):
        metrics.update(result(pred), sample((4, 5), name="odd", **truth))
    assert metrics.compute() == before
