"""Against the recorded numbers of the original, and against pycocotools for 17 points."""

import contextlib
import io
import math

import numpy as np
import pytest
from helpers_metrics import recorded

from sapiens.tasks.pose.average_precision import Picture, average_precision
from sapiens.tasks.pose.keypoints import PARTS, SIGMAS
from sapiens.tasks.pose.metrics import precision_of
from sapiens.tasks.pose.oks import extents, similarities
from sapiens.tasks.pose.result import person_scores

NAMES = ("ap", "ap_50", "ap_75", "ap_medium", "ap_large", "ar", "ar_50", "ar_75", "ar_medium", "ar_large")
GOLDEN = recorded("metrics_pose.npz")
SUBSETS = {"body": "body", "foot": "foot", "face": "face", "lefthand": "left_hand", "righthand": "right_hand"}


def golden_rows():
    truth = GOLDEN["ap/gt_bbox"]
    # A found person's id stands for the box it was looked for in: the same one in a picture is the same person.
    boxes = np.repeat(GOLDEN["ap/pred_id"][:, None], 4, 1)
    return {
        "found_picture": GOLDEN["ap/pred_image"].astype(str),
        "found_points": GOLDEN["ap/pred_keypoints"],
        "found_boxes": boxes,
        "found_scores": person_scores(GOLDEN["ap/pred_bbox_score"], GOLDEN["ap/pred_keypoint_scores"]),
        "true_picture": GOLDEN["ap/gt_image"].astype(str),
        "true_points": GOLDEN["ap/gt_keypoints"],
        "true_boxes": np.concatenate([truth[:, :2], truth[:, :2] + truth[:, 2:]], 1),
        "true_areas": GOLDEN["ap/gt_area"],
        "true_crowd": np.zeros(len(truth), bool),
    }


@pytest.mark.parametrize("name", [*SUBSETS, "wholebody_goliath"])
def test_precision_of__gives_the_recorded_numbers(name):
    points = PARTS[SUBSETS[name]] if name in SUBSETS else range(308)
    got = precision_of(golden_rows(), points)
    np.testing.assert_allclose([got[k] for k in NAMES], GOLDEN[f"ap/stats/keypoints_{name}"], rtol=1e-4)


def test_precision_of__the_order_of_the_rows_changes_nothing():
    rows, random = golden_rows(), np.random.default_rng(0)
    found, true = random.permutation(len(rows["found_scores"])), random.permutation(len(rows["true_areas"]))
    shuffled = {k: v[found if k.startswith("found") else true] for k, v in rows.items()}
    assert precision_of(shuffled, range(308)) == precision_of(rows, range(308))


def people(random, count):
    """True people of 17 points, some unlabelled, one without any; and found ones, shaken, with some too many."""
    truth = np.zeros((count, 17, 3))
    sizes = random.choice([30, 60, 150], count)
    corners = random.uniform(0, 300, (count, 2))
    truth[..., :2] = corners[:, None] + random.random((count, 17, 2)) * sizes[:, None, None]
    truth[..., 2] = random.integers(0, 3, (count, 17))
    truth[random.random(count) < 0.15, :, 2] = 0
    shake = random.choice([0.005, 0.03, 0.1], count) * sizes
    found = truth[..., :2] + random.normal(size=(count, 17, 2)) * shake[:, None, None]
    extra = random.uniform(0, 450, (random.integers(0, 4), 17, 2))
    found = np.concatenate([found[random.random(count) < 0.8], extra])
    return truth, np.concatenate([corners, corners + sizes[:, None]], 1), 0.6 * sizes**2.0, found


def coco_numbers(pictures):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for image, (truth, boxes, areas, crowd, found, scores) in enumerate(pictures, 1):
        for person, box, area, many in zip(truth, boxes, areas, crowd, strict=True):
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": 1,
                "iscrowd": int(many),
                "area": float(area),
                "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                "keypoints": person.ravel().tolist(),
                "num_keypoints": int((person[:, 2] > 0).sum()),
            })  # fmt: skip
        for person, score in zip(found, scores, strict=True):
            keypoints = np.concatenate([person, np.ones((17, 1))], 1).ravel().tolist()
            results.append({"image_id": image, "category_id": 1, "keypoints": keypoints, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(1, len(pictures) + 1)],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}],
            "info": {},
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(6))
def test_average_precision__is_that_of_pycocotools_for_17_points(seed):
    random = np.random.default_rng(seed)
    sigmas = np.asarray(SIGMAS)[list(PARTS["body"])]
    ours, theirs = [], []
    for _ in range(12):
        truth, boxes, areas, found = people(random, int(random.integers(0, 6)) if seed else 25)
        scores, crowd = random.random(len(found)), random.random(len(truth)) < 0.1
        theirs.append((truth, boxes, areas, crowd, found, scores))
        ignored = crowd | ~(truth[..., 2] > 0).any(1)
        similar = similarities(found, truth, boxes, areas, sigmas)
        ours.append(Picture(scores, extents(found), similar, areas, ignored, crowd))
    got = average_precision(ours)
    np.testing.assert_allclose([got[k] for k in NAMES], coco_numbers(theirs), rtol=1e-9)


def one(similar, **changes):
    d, g = np.shape(similar)
    values = {
        "scores": np.linspace(0.9, 0.1, d),
        "found_areas": np.full(d, 5000.0),
        "similar": np.array(similar, float),
        "areas": np.full(g, 5000.0),
        "ignored": np.zeros(g, bool),
        "crowd": np.zeros(g, bool),
    }
    return Picture(**(values | changes))


@pytest.mark.parametrize(
    ("word", "picture", "ap", "ar"),
    [
        ("found", one([[1.0]]), 1, 1),
        ("half of the thresholds", one([[0.72]]), 0.5, 0.5),
        ("missed", one(np.zeros((0, 1))), 0, 0),
        ("one of two", one([[1.0, 0.0]]), 51 / 101, 0.5),
        ("a wrong one first", one([[0.0], [1.0]]), 0.5, 1),
        ("a wrong one last", one([[1.0], [0.0]]), 1, 1),
        ("found twice", one([[1.0], [0.9]]), 1, 1),
        ("nobody to find", one(np.zeros((2, 0))), math.nan, math.nan),
        ("only ignored people", one([[1.0]], ignored=np.ones(1, bool)), math.nan, math.nan),
        ("an ignored one found first", one([[1.0, 0], [0, 1.0]], ignored=np.array([True, False])), 1, 1),
    ],
)
def test_average_precision__by_hand(word, picture, ap, ar):
    got = average_precision([picture])
    assert [got["ap"], got["ar"]] == pytest.approx([ap, ar], nan_ok=True)
    assert [got["ap_medium"], got["ar_medium"]] == pytest.approx([ap, ar], nan_ok=True)
    assert math.isnan(got["ap_large"])


def test_average_precision__no_pictures():
    assert all(math.isnan(value) for value in average_precision([]).values())
    assert tuple(average_precision([])) == ("ap", "ap_50", "ap_75", "ap_medium", "ap_large", *NAMES[5:])
