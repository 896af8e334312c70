import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, meta, recorded, sample

from sapiens.errors import InputError
from sapiens.tasks.matting.metrics import Metrics
from sapiens.tasks.matting.result import MattingResult

GOLDEN = recorded("losses_matting.npz")


def result(alpha, foreground=None):
    return MattingResult(meta=meta("matting", alpha.shape), alpha=alpha.astype(np.float32), foreground=foreground)


def pairs():
    found = []
    for rgba, alpha, foreground in zip(*(GOLDEN[k] for k in ("pred_rgba", "gt_alpha", "gt_foreground")), strict=True):
        pred = result(rgba[3], rgba[:3].transpose(1, 2, 0))
        truth = {"alpha": alpha[0], "foreground": foreground.transpose(1, 2, 0)}
        found.append((pred, sample(alpha.shape[1:], name=str(len(found)), **truth)))
    return found


def test_metrics__give_the_recorded_numbers():
    metrics = Metrics()
    scores = [metrics.update(pred, truth) for pred, truth in pairs()]
    got = metrics.compute()
    assert got["alpha_mae"] == pytest.approx(GOLDEN["metric/l1_alpha"].item(), rel=1e-6)
    assert got["alpha_mae"] == pytest.approx(np.mean(scores))
    assert got["foreground_mae"] == pytest.approx(GOLDEN["metric/l1_foreground"].item(), rel=1e-6)


def test_metrics__same_numbers_however_split():
    assert_same_however_split(Metrics, pairs())


def test_metrics__by_hand():
    """One picture of 2 wrong pixels among 20, one of none among 12."""
    truth, pred = np.zeros((4, 5), np.float32), np.zeros((4, 5), np.float32)
    pred[0, :2] = 0.5, 1
    metrics = Metrics()
    assert metrics.update(result(pred), sample((4, 5), alpha=truth)) == pytest.approx(1.5 / 20)
    assert metrics.update(result(np.ones((3, 4))), sample((3, 4), alpha=np.ones((3, 4), np.float32))) == 0
    got = metrics.compute()
    assert got["alpha_mae"] == pytest.approx(1.5 / 32)
    assert got["alpha_mse"] == pytest.approx(1.25 / 32)
    assert got["sad"] == pytest.approx(1.5 / 2 / 1000)
    assert got["conn"] == pytest.approx((0.5 + 1) / 2 / 1000)
    assert got["grad"] > 0
    assert math.isnan(got["foreground_mae"])


def test_foreground__counts_only_where_the_truth_has_one():
    truth = np.full((2, 3), 0.5, np.float32)
    colours = np.full((2, 3, 3), 0.25, np.float32)
    metrics = Metrics()
    metrics.update(result(truth, colours), sample((2, 3), alpha=truth))
    metrics.update(result(truth, colours), sample((2, 3), alpha=truth, foreground=colours + np.float32(0.5)))
    metrics.update(result(truth), sample((2, 3), alpha=truth, foreground=colours))
    got = metrics.compute()
    assert got["foreground_mae"] == pytest.approx(0.5)
    assert got["foreground_mse"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("word", "alpha", "says"),
    [
        ("NaN", np.full((2, 3), np.nan, np.float32), "true alpha"),
        ("above 1", np.full((2, 3), 255, np.float32), "alpha from 255 to 255"),
        ("other size", np.zeros((3, 2), np.float32), "pixels"),
    ],
)
def test_update__bad_pictures_raise_and_change_nothing(word, alpha, says):
    metrics = Metrics()
    with pytest.raises(InputError, match=f"odd.*{says}"):
        metrics.update(result(np.zeros((2, 3))), sample(alpha.shape, name="odd", alpha=alpha))
    assert metrics.state() == {}
