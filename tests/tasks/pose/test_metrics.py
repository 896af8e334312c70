import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, meta, recorded, sample

from sapiens.errors import InputError
from sapiens.tasks.pose.distances import EYE_CORNERS, SUBSETS
from sapiens.tasks.pose.keypoints import NAMES, PARTS
from sapiens.tasks.pose.loss import heatmap_pck, mean_known
from sapiens.tasks.pose.metrics import Metrics
from sapiens.tasks.pose.result import PoseResult
from sapiens.tasks.pose.true_people import pair_up, picture_key

SIZE = (100, 200)
BOX = np.array([20, 10, 60, 90], np.float32)
"""80 pixels high: 5 % are 4 pixels."""


def points(seed=0, box=BOX, seen=2):
    random = np.random.default_rng(seed)
    xy = box[:2] + random.random((len(NAMES), 2)) * (box[2:] - box[:2])
    return np.concatenate([xy, np.full((len(NAMES), 1), seen)], 1).astype(np.float32)


def person(keypoints=None, name="a", **extra):
    return sample(
        SIZE, name=name, keypoints=points() if keypoints is None else keypoints, extra={"box_xyxy": BOX, **extra}
    )


def result(keypoints, boxes=None, scores=None):
    xy = np.reshape(keypoints, (-1, len(NAMES), np.shape(keypoints)[-1]))[..., :2].astype(np.float32)
    count = len(xy)
    return PoseResult(
        meta=meta("pose", SIZE),
        boxes_xyxy=np.tile(BOX, (count, 1)) if boxes is None else np.asarray(boxes, np.float32).reshape(-1, 4),
        box_scores=np.ones(count, np.float32),
        keypoints=xy,
        scores=np.full((count, len(NAMES)), 0.9, np.float32) if scores is None else scores,
    )


NOBODY = result(np.empty((0, len(NAMES), 2)))


def shifted(pixels, which=None):
    moved = points()
    moved[list(which) if which is not None else slice(None), 0] += pixels
    return moved


def numbers(*pairs):
    metrics = Metrics()
    for found, truth in pairs:
        metrics.update(found, truth)
    return metrics.compute()


def test_metrics__exact_points():
    got = numbers((result(points()), person()))
    assert {got[k] for k in ("ar", "ar_75", "pck_box", "pck_box_body", "auc_face", "people", "people_found")} == {1}
    assert got["ap"] == pytest.approx(1)
    assert {got[k] for k in ("nme", "nme_left_hand", "nme_eyes")} == {0}


@pytest.mark.parametrize(
    ("pixels", "pck", "pck_10", "pck_20", "auc"),
    [(3.9, 1, 1, 1, 1 - 3.9 / 8), (4.1, 0, 1, 1, 1 - 4.1 / 8), (8.1, 0, 0, 1, 0), (16.1, 0, 0, 0, 0)],
)
def test_metrics__a_shift_by_hand(pixels, pck, pck_10, pck_20, auc):
    got = numbers((result(shifted(pixels)), person()))
    assert [got[k] for k in ("pck_box", "pck_box_10", "pck_box_20")] == [pck, pck_10, pck_20]
    assert got["auc"] == pytest.approx(auc, rel=1e-5)
    assert got["nme"] == pytest.approx(pixels / 80, rel=1e-5)
    right, left = points()[list(EYE_CORNERS), :2]
    assert got["nme_eyes"] == pytest.approx(pixels / np.linalg.norm(right - left), rel=1e-5)


@pytest.mark.parametrize("part", ["body", "foot", "face", "left_hand", "right_hand"])
def test_metrics__subsets_see_their_own_points(part):
    got = numbers((result(shifted(50, PARTS[part])), person()))
    wrong = {suffix for suffix in SUBSETS if suffix and got[f"pck_box{suffix}"] < 1}
    assert wrong == {f"_{part}"}
    assert got["pck_box"] == pytest.approx(1 - len(PARTS[part]) / len(NAMES))
    assert got[f"ap_{part}"] == 0


def test_metrics__unlabelled_points_do_not_count_hidden_ones_do():
    truth = points()
    truth[::2, 2], truth[1::4, 2] = 0, 1
    metrics = Metrics()
    assert metrics.update(result(shifted(50, range(0, 308, 2))), person(truth)) == 1
    assert metrics.update(result(shifted(50, range(1, 308, 4))), person(truth, name="b")) == pytest.approx(0.5)


def test_update__nothing_labelled_counts_nothing():
    metrics = Metrics()
    assert math.isnan(metrics.update(result(points()), person(points(seen=0))))
    got = metrics.compute()
    assert (got["people"], metrics.sums.count("points")) == (0, 0)
    assert math.isnan(got["ap"])
    assert math.isnan(got["pck_box"])


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("nobody found", NOBODY),
        ("somebody elsewhere", result(shifted(80), boxes=[100, 10, 140, 90])),
        ("NaN as compat reference has it", result(np.full((308, 2), np.nan))),
    ],
)
def test_update__missed_people_are_wrong_everywhere(word, found):
    metrics = Metrics()
    assert metrics.update(found, person()) == 0
    got = metrics.compute()
    assert (got["pck_box"], got["auc"], got["ap"], got["ar"]) == (0, 0, 0, 0)
    assert math.isnan(got["nme"])
    assert got["people"] == 1


def test_update__everybody_of_a_picture_counts():
    boxes = np.array([BOX, [120, 10, 160, 90]], np.float32)
    both = np.stack([points(1), points(2, boxes[1])])
    truth = person(both[0], boxes_xyxy=boxes, people_keypoints=both)
    assert numbers((result(both, boxes), truth))["people"] == 2
    # In another order, found by their boxes.
    assert numbers((result(both[::-1], boxes[::-1]), truth))["pck_box"] == 1
    assert numbers((result(both[1], boxes[1]), truth))["pck_box"] == 0.5
    assert numbers((NOBODY, person(both[0], boxes_xyxy=boxes[:0], people_keypoints=both[:0])))["people"] == 0


def test_metrics__records_of_one_picture_are_one_picture():
    """Each record brings one person and its own box; a found person that fits the other's truth is no mistake there."""
    box = np.array([120, 10, 160, 90], np.float32)
    one, other = points(1), points(2, box)
    apart = [
        (result(one), person(one, name="p#1", image_id=7, area=1500.0)),
        (result(other, box), sample(SIZE, name="p#2", keypoints=other, extra={"box_xyxy": box, "image_id": 7})),
    ]
    metrics = Metrics()
    for found, truth in apart:
        metrics.update(found, truth)
    assert len(set(metrics.state()["rows/true_picture"].tolist())) == 1
    # A detector finds both for each record: four, of which two are copies.
    everybody = result(np.stack([one, other]), np.stack([BOX, box]))
    assert numbers(*((everybody, truth) for _, truth in apart))["ap"] == pytest.approx(1)


def test_picture_key__same_number_in_another_set_is_another_picture():
    one = person(image_id=7)
    other = sample(SIZE, keypoints=points(), extra={"box_xyxy": BOX, "image_id": 7})
    assert picture_key(one) == picture_key(other)
    other.image[0, 0] = 255
    assert picture_key(one) != picture_key(other)
    assert picture_key(person(image_id=9)) < picture_key(person(image_id=10))


def test_metrics__same_numbers_however_split():
    random = np.random.default_rng(0)
    pairs = []
    for k in range(9):
        truth = points(k)
        truth[random.random(308) < 0.2, 2] = 0
        found = truth[..., :2] + random.normal(0, 0.5 + k % 3, (308, 2))
        scores = np.full((1, 308), 0.5, np.float32)  # equal scores: the order must come from the pictures
        pairs.append((result(found, scores=scores), person(truth, name=f"{k:02}")))
    assert_same_however_split(Metrics, pairs)


@pytest.mark.parametrize(
    ("word", "found", "want"),
    [
        ("itself", [[0, 0, 10, 10]], [0, -1]),
        ("the better of two", [[0, 0, 10, 12], [0, 0, 10, 10]], [1, -1]),
        ("each once", [[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1]),
        ("less than half", [[0, 0, 10, 4]], [-1, -1]),
        ("nobody", np.empty((0, 4)), [-1, -1]),
    ],
)
def test_pair_up__by_overlap(word, found, want):
    truth = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    assert pair_up(np.array(found, np.float32), truth).tolist() == want


def test_heatmap_pck__reference_is_the_recorded_one():
    import torch

    golden = {
        k: torch.from_numpy(np.asarray(v)) for k, v in recorded("metrics_pose.npz").items() if k.startswith("pck/")
    }
    got = heatmap_pck(golden["pck/output"], golden["pck/target"], golden["pck/mask"], reference=True)
    np.testing.assert_allclose(got.numpy(), golden["pck/acc"].numpy(), rtol=1e-6)
    assert mean_known(got).item() == pytest.approx(golden["pck/avg"].item())


def spoiled():
    keypoints = points()
    keypoints[3, 0] = np.nan
    return keypoints


@pytest.mark.parametrize(
    ("word", "truth", "says"),
    [
        ("no box", sample(SIZE, name="odd", keypoints=points()), "box_xyxy"),
        ("17 points", person(points()[:17], name="odd"), r"\(1, 17, 3\)"),
        ("NaN where labelled", person(spoiled(), name="odd"), "labelled keypoints"),
        ("no keypoints", sample(SIZE, name="odd", extra={"box_xyxy": BOX}), "has no keypoints"),
        ("box of NaN", person(name="odd", box_xyxy=np.full(4, np.nan)), "true boxes"),
    ],
)
def test_update__bad_pictures_raise_and_change_nothing(word, truth, says):
    metrics = Metrics()
    with pytest.raises(InputError, match=f"odd.*{says}"):
        metrics.update(result(points()), truth)
    assert metrics.state() == {}
