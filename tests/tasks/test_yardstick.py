import dataclasses
import math

import numpy as np
import pytest
from helpers_evaluation import Records, people

from sapiens.errors import InputError, UnknownNameError
from sapiens.evaluation.baselines import trivial_answers, trivial_meta
from sapiens.tasks import TASKS
from sapiens.tasks.learning import get_learning
from sapiens.tasks.yardstick import GRID_HW, MeanMap, get_yardstick

PERFECT = {"pose": 1, "seg": 1, "normal": 0, "pointmap": 0, "matting": 0, "albedo": 0}


@pytest.mark.parametrize("task", TASKS)
def test_truth__is_a_perfect_result(task):
    metrics, yardstick = get_learning(task).metrics(), get_yardstick(task)
    for sample in people():
        metrics.update(yardstick.truth(sample, trivial_meta(task, "truth", sample)), sample)
    numbers = metrics.compute()
    assert numbers[get_learning(task).headline[0]] == pytest.approx(PERFECT[task], abs=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_shown__are_numbers_of_the_metrics_and_the_headline_is_among_them(task):
    numbers = get_learning(task).metrics().compute()
    shown = get_yardstick(task).shown
    assert set(shown) <= set(numbers)
    name, good = get_learning(task).headline
    assert shown[name] == good


@pytest.mark.parametrize("task", TASKS)
def test_trivial__answers_need_no_annotation_but_boxes_and_differ_from_the_truth(task):
    answers = trivial_answers(task, people()[:4])
    sample = people()[5]
    bare = sample if task == "pose" else dataclasses.replace(sample, fields={}, extra={})
    for name, answer in answers.items():
        metrics = get_learning(task).metrics()
        score = metrics.update(answer(bare, trivial_meta(task, name, sample)), sample)
        assert math.isfinite(score), name
        assert score != pytest.approx(PERFECT[task], abs=1e-3), name


@pytest.mark.parametrize("task", TASKS)
def test_trivial__bad_records_are_passed_over(task):
    field = get_learning(task).fields[0]
    records = Records(people(), bad=(0,), without={} if task == "pose" else {2: field})
    good = [s for index, s in enumerate(people()) if index not in (0, *records.without)]
    sample = people()[0]
    for name, answer in trivial_answers(task, records).items():
        one, other = (
            made(sample, trivial_meta(task, name, sample)).arrays()
            for made in (answer, trivial_answers(task, good)[name])
        )
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_trivial__nothing_usable_is_an_error():
    with pytest.raises(InputError, match="none of the 7 records"):
        trivial_answers("seg", Records(people(), bad=range(7)))
    with pytest.raises(UnknownNameError, match="unknown task"):
        trivial_answers("segg", people())


def answer(task, name, samples=None):
    sample = people()[0]
    return trivial_answers(task, samples or people())[name](sample, trivial_meta(task, name, sample))


def test_trivial__known_answers():
    assert set(np.unique(answer("seg", "majority class").labels)) == {0}
    np.testing.assert_array_equal(answer("normal", "flat plane").normals[3, 3], [0, 0, 1])
    np.testing.assert_allclose(answer("albedo", "input").albedo, people()[0].image / 255, atol=1e-6)
    alphas = np.mean([s.fields["alpha"].mean() for s in people()])
    np.testing.assert_allclose(answer("matting", "mean alpha").alpha, alphas, rtol=0.02)
    plane = answer("pointmap", "flat plane")
    depths = np.concatenate([s.fields["depth_m"][s.fields["mask"]] for s in people()])
    np.testing.assert_allclose(plane.depth_m, plane.depth_m[0, 0])
    assert plane.depth_m[0, 0] == pytest.approx(depths.mean(), rel=0.05)
    assert plane.focal_px == pytest.approx(np.mean([s.extra["intrinsics"][0, 0] for s in people()]))


def test_trivial__mean_pose_of_one_picture_is_its_pose():
    sample = next(s for s in people() if len(s.extra["boxes_xyxy"]) == 1)
    made = trivial_answers("pose", [sample])["mean pose"](sample, trivial_meta("pose", "mean pose", sample))
    points = sample.extra["people_keypoints"][0]
    known = points[:, 2] > 0
    np.testing.assert_allclose(made.keypoints[0][known], points[known, :2], atol=1e-3)


def test_mean_map__by_hand():
    mean = MeanMap(1)
    left = np.zeros((8, 10), bool)
    left[:, :5] = True
    mean.add(np.full((8, 10, 1), 2.0), left)
    mean.add(np.full((20, 4, 1), 4.0))
    got = mean.at(GRID_HW)[..., 0]
    np.testing.assert_allclose(got[:, : GRID_HW[1] // 2], 3)
    np.testing.assert_allclose(got[:, GRID_HW[1] // 2 :], 4)
    assert mean.overall[0] == pytest.approx((0.5 * 2 + 4) / 1.5)


def test_mean_map__nan_and_cells_never_seen():
    mean = MeanMap(2)
    values = np.ones((4, 4, 2))
    values[:2] = np.nan
    mean.add(values)
    np.testing.assert_allclose(mean.at((6, 5)), 1)
    np.testing.assert_array_equal(MeanMap(2).at((3, 3)), 0)
