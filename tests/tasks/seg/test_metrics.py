import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, enlarge, meta, recorded, recorded_numbers, sample

from sapiens.errors import InputError
from sapiens.tasks.seg.classes import NAMES
from sapiens.tasks.seg.metrics import Metrics, average, class_shares, confusion
from sapiens.tasks.seg.result import SegResult

GOLDEN = recorded("metrics_dense.npz")
FIELDS = {
    "IoU": "iou",
    "Acc": "accuracy",
    "Recall": "accuracy",
    "Dice": "dice",
    "Fscore": "dice",
    "Precision": "precision",
}
"""Of the original, by ours; an F-score with beta 1 is the Dice overlap."""


def result(labels):
    return SegResult(meta=meta("seg", labels.shape), labels=labels.astype(np.uint8))


def pairs():
    found = []
    for batch in (0, 1):
        for logits, label in zip(GOLDEN[f"seg/{batch}/logits"], GOLDEN[f"seg/{batch}/label"], strict=True):
            labels = enlarge(logits, label.shape).argmax(-1)
            found.append((result(labels), sample(label.shape, name=f"{len(found)}", labels=label.astype(np.uint8))))
    return found


def counts():
    metrics = Metrics()
    for pred, truth in pairs():
        metrics.update(pred, truth)
    return metrics.confusion()


def test_confusion__has_the_recorded_areas():
    matrix = counts()
    np.testing.assert_array_equal(np.diag(matrix), GOLDEN["seg/intersect"])
    np.testing.assert_array_equal(matrix.sum(1), GOLDEN["seg/label_area"])
    np.testing.assert_array_equal(matrix.sum(0), GOLDEN["seg/pred_area"])
    np.testing.assert_array_equal(matrix.sum(0) + matrix.sum(1) - np.diag(matrix), GOLDEN["seg/union"])


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("absent", ["nan_to_num_0", "nan_ignored"])
def test_class_shares__have_the_recorded_values(name, absent):
    shares = class_shares(counts())[FIELDS[name]]
    as_zero = absent == "nan_to_num_0"
    want = GOLDEN[f"seg/{absent}/{name}"]
    np.testing.assert_allclose(np.nan_to_num(shares) if as_zero else shares, want, rtol=1e-5)
    assert average(shares, as_zero) * 100 == pytest.approx(recorded_numbers(f"seg/{absent}")[name], abs=0.0051)


def test_metrics__reference_gives_the_recorded_numbers():
    metrics = Metrics("reference")
    for pred, truth in pairs():
        metrics.update(pred, truth)
    got, want = metrics.compute(), recorded_numbers("seg/evaluate")
    assert [100 * got[k] for k in ("miou", "macc", "aacc")] == pytest.approx(
        [want[k] for k in ("mIoU", "mAcc", "aAcc")], abs=0.0051
    )


def test_metrics__same_numbers_however_split():
    assert_same_however_split(Metrics, pairs())


def picture(*rows):
    return np.array(rows, np.uint8)


def test_metrics__by_hand():
    label = picture([0, 0, 1, 1], [0, 0, 1, 255])
    pred = picture([0, 1, 1, 1], [0, 0, 2, 7])  # the 7 stands where nothing is known
    metrics = Metrics()
    score = metrics.update(result(pred), sample((2, 4), labels=label))
    got = metrics.compute()
    assert got["aacc"] == pytest.approx(5 / 7)
    assert got[f"iou/{NAMES[0]}"] == pytest.approx(3 / 4)
    assert got[f"iou/{NAMES[1]}"] == pytest.approx(2 / 4)
    assert got[f"iou/{NAMES[2]}"] == 0
    assert math.isnan(got[f"iou/{NAMES[7]}"])
    assert got["miou"] == score == pytest.approx((3 / 4 + 2 / 4 + 0) / 3)
    assert got["miou_common"] == pytest.approx((3 / 4 + 2 / 4) / 2)  # class 2 is in no label
    assert got["macc"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    rows = metrics.tables()["confusion"][1]
    assert rows[:3, :3].tolist() == [[3, 1, 0], [0, 2, 1], [0, 0, 0]]


def test_metrics__reference_counts_absent_classes_as_zero():
    label = picture([0, 1], [0, 1])
    metrics = Metrics("reference")
    metrics.update(result(label), sample((2, 2), labels=label))
    assert metrics.compute()["miou"] == pytest.approx(2 / 29)
    assert Metrics().update(result(label), sample((2, 2), labels=label)) == 1


def test_miou_common__leaves_out_classes_of_few_pixels():
    label = np.zeros((100, 100), np.uint8)
    label[:, :50], label[0, 0:9], label[1, 0:10] = 1, 2, 3  # 9 pixels are below 0.1 %, 10 are not
    pred = label.copy()
    pred[label == 2] = 0
    metrics = Metrics()
    metrics.update(result(pred), sample((100, 100), labels=label))
    got = metrics.compute()
    assert got["iou/" + NAMES[2]] == 0
    shares = [got[f"iou/{NAMES[k]}"] for k in (0, 1, 3)]
    assert got["miou_common"] == pytest.approx(np.mean(shares))
    assert got["miou"] == pytest.approx(np.mean([*shares, 0]))


def test_update__nothing_labelled_counts_nothing():
    metrics = Metrics()
    label = np.full((3, 4), 255, np.uint8)
    assert math.isnan(metrics.update(result(np.zeros((3, 4))), sample((3, 4), labels=label)))
    assert all(math.isnan(value) for value in metrics.compute().values())


@pytest.mark.parametrize(
    ("word", "label", "says"),
    [
        ("class out of range", np.full((3, 4), 29, np.uint8), "label 29 is no class"),
        ("class far out of range", np.full((3, 4), 254, np.uint8), "label 254 is no class"),
        ("other size", np.zeros((4, 3), np.uint8), "pixels"),
    ],
)
def test_update__bad_pictures_raise_and_change_nothing(word, label, says):
    metrics = Metrics()
    with pytest.raises(InputError, match=f"odd.*{says}"):
        metrics.update(result(np.zeros((3, 4))), sample(label.shape, name="odd", labels=label))
    assert metrics.state() == {}


def test_confusion__predicted_class_out_of_range():
    with pytest.raises(InputError, match="predicted label 30"):
        confusion(np.full((2, 2), 30), np.zeros((2, 2), int))
