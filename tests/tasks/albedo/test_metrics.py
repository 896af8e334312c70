import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, meta, recorded, recorded_numbers, recorded_pairs, sample

from sapiens.errors import InputError
from sapiens.tasks.albedo.metrics import Metrics
from sapiens.tasks.albedo.result import AlbedoResult


def result(albedo):
    return AlbedoResult(meta=meta("albedo", albedo.shape[:2]), albedo=albedo.astype(np.float32))


def pairs():
    found = recorded_pairs(recorded("metrics_dense.npz"), "albedo")
    return [
        (result(pred), sample(mask.shape, name=str(k), albedo=truth, mask=mask))
        for k, (pred, truth, mask) in enumerate(found)
    ]


@pytest.mark.parametrize("compat", ["default", "reference"])
def test_metrics__give_the_recorded_numbers(compat):
    metrics = Metrics(compat)
    for pred, truth in pairs():
        metrics.update(pred, truth)
    got, want = metrics.compute(), recorded_numbers("albedo")
    assert got.keys() == want.keys()
    assert got == pytest.approx(want, rel=1e-4)


def test_metrics__same_numbers_however_split():
    assert_same_however_split(Metrics, pairs())


def test_metrics__by_hand():
    truth, pred = np.zeros((16, 16, 3), np.float32), np.full((16, 16, 3), 0.1, np.float32)
    pred[:, 8:] = 0.3
    metrics = Metrics()
    assert metrics.update(result(pred), sample((16, 16), albedo=truth)) == pytest.approx(0.2)
    got = metrics.compute()
    assert got["rmse"] == pytest.approx(math.sqrt((0.01 + 0.09) / 2))
    assert got["psnr"] == pytest.approx(-10 * math.log10(0.05))
    assert got["grad_l1"] == pytest.approx(0.2 * 16 / (2 * 15 * 16))  # one step of 0.2 in every row


def test_metrics__exact_prediction():
    truth = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    metrics = Metrics()
    metrics.update(result(truth), sample((12, 12), albedo=truth))
    got = metrics.compute()
    assert (got["mae"], got["psnr"], got["grad_l1"]) == (0, math.inf, 0)
    assert got["ssim"] == pytest.approx(1)


def test_metrics__nothing_known_is_nan():
    truth = np.zeros((12, 12, 3), np.float32)
    metrics = Metrics()
    metrics.update(result(truth), sample((12, 12), albedo=truth, mask=np.zeros((12, 12), bool)))
    assert all(math.isnan(value) for value in metrics.compute().values())


def test_update__nan_outside_of_the_mask_does_not_count():
    truth, mask = np.zeros((12, 12, 3), np.float32), np.ones((12, 12), bool)
    truth[0, 0], mask[0, 0] = np.nan, False
    metrics = Metrics()
    assert metrics.update(result(np.zeros((12, 12, 3))), sample((12, 12), albedo=truth, mask=mask)) == 0
    assert metrics.compute()["ssim"] == pytest.approx(1)
    with pytest.raises(InputError, match="3 values of true albedo"):
        metrics.update(result(np.zeros((12, 12, 3))), sample((12, 12), albedo=truth))
