import dataclasses
import io
import math

import numpy as np
import pytest
from helpers_evaluation import COUNT, Records, people, predictor
from PIL import Image

from sapiens.datasets.reader import Problem, Reader
from sapiens.errors import InputError
from sapiens.evaluation import evaluate, trivial_answers
from sapiens.tasks import TASKS
from sapiens.tasks.learning import get_learning


@pytest.mark.parametrize("task", TASKS)
def test_evaluate__numbers_are_those_of_results_measured_by_hand(task):
    samples, network = people(), predictor(task)
    report = evaluate(network, samples, data="few")
    metrics = get_learning(task).metrics()
    scores = []
    for sample in samples:
        boxes = {"boxes": sample.extra["boxes_xyxy"]} if network.task.top_down else {}
        scores.append(metrics.update(network(sample.image, **boxes), sample))
    want = metrics.compute()
    assert report.metrics == pytest.approx(want, rel=1e-6, nan_ok=True)
    assert (report.count, report.failures) == (COUNT, ())
    assert report.headline == get_learning(task).headline
    assert report.value == report.metrics[report.headline[0]]
    assert math.isfinite(report.value)
    worst_first = sorted(scores, reverse=report.headline[1] == "low")
    assert [shown.score for shown in report.worst] == pytest.approx(worst_first[:4], rel=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_evaluate__batch_size_changes_nothing(task):
    one, three = (evaluate(predictor(task, batch_size=size), people()[:4]) for size in (1, 3))
    assert one.metrics == pytest.approx(three.metrics, rel=1e-3, abs=1e-4, nan_ok=True)
    assert [s.id for s in one.worst] == [s.id for s in three.worst]


@pytest.mark.parametrize("task", TASKS)
def test_evaluate__trivial_answers_stand_beside(task):
    trivial = trivial_answers(task, people())
    report = evaluate(predictor(task), people(), trivial=trivial)
    assert list(report.trivial) == list(trivial)
    assert trivial
    for name, numbers in report.trivial.items():
        assert numbers.keys() == report.metrics.keys()
        better = numbers[report.headline[0]] > report.value
        assert better == (report.headline[1] == "high"), f"an untrained network beats {name}"


def test_evaluate__pictures_of_best_and_worst():
    report = evaluate(predictor("normal"), people(), shown=2)
    assert [len(report.best), len(report.worst)] == [2, 2]
    assert report.best[0].score <= report.best[1].score <= report.worst[1].score <= report.worst[0].score
    for shown in (*report.best, *report.worst):
        assert shown.id == people()[shown.index].id
        sizes = [Image.open(io.BytesIO(picture)).size for picture in shown.pictures]
        assert sizes == [(36, 48)] * 3
    picture = np.asarray(Image.open(io.BytesIO(report.worst[0].pictures[0])), float)
    assert abs(picture - people()[report.worst[0].index].image).mean() < 12  # JPEG


def test_evaluate__few_pictures_are_worst_before_they_are_best():
    report = evaluate(predictor("seg"), people()[:3], shown=2)
    assert [len(report.worst), len(report.best)] == [2, 1]
    assert evaluate(predictor("seg"), people()[:2], shown=0).worst == ()


def test_evaluate__bad_records_are_reported_and_the_others_counted():
    records = Records(people(), bad=(1,), without={4: "normals"})
    report = evaluate(predictor("normal"), records)
    assert report.count == COUNT - 2
    assert [f.message for f in report.failures] == [
        "file.json, record 1: is damaged",
        f"{people()[4].id}: has no normals, only {', '.join(k for k in people()[4].fields if k != 'normals')}; "
        "it cannot be compared",
    ]
    good = [sample for index, sample in enumerate(people()) if index not in (1, 4)]
    assert report.metrics == pytest.approx(evaluate(predictor("normal"), good).metrics, rel=0, abs=0)


def test_evaluate__records_that_a_reader_could_not_list_are_reported():
    class Listed(Reader):
        def __len__(self):
            return 2

        def name(self, index):
            return f"record {index}"

        def read(self, index):
            return people()[index]

    report = evaluate(predictor("seg"), Listed("parts.json", [Problem("parts.json", "record 9", 'no "labels"')]))
    assert report.count == 2
    assert [f.message for f in report.failures] == ['parts.json, record 9: no "labels"']


def test_evaluate__all_records_bad():
    report = evaluate(predictor("seg"), Records(people(), bad=range(COUNT)))
    assert (report.count, len(report.failures)) == (0, COUNT)
    assert math.isnan(report.value)
    assert report.to_dict()["headline"]["value"] is None


def test_evaluate__no_records():
    with pytest.raises(InputError, match=r"empty\.json: no record"):
        evaluate(predictor("seg"), [], data="empty.json")


def test_evaluate__limit_takes_the_first():
    steps = []
    report = evaluate(predictor("seg"), people(), limit=2, advance=lambda: steps.append(1))
    assert report.metrics == pytest.approx(evaluate(predictor("seg"), people()[:2]).metrics, rel=0, abs=0, nan_ok=True)
    assert len(steps) == 2
    assert evaluate(predictor("seg"), people(), limit=99).count == COUNT


def test_evaluate__samples_are_let_go_when_counted():
    alive = []

    class Watched(Records):
        def __getitem__(self, index):
            alive.append(index)
            return super().__getitem__(index)

    most = []
    evaluate(predictor("seg"), Watched(people() * 6), advance=lambda: most.append(len(alive)))
    ahead = max(read - done for done, read in enumerate(most, 1))
    assert ahead < 30  # queues are bounded: not everything is read at once
    assert len(alive) == 6 * COUNT


def test_evaluate__sizes_may_differ():
    tall = dataclasses.replace(
        people()[0],
        image=np.zeros((31, 50, 3), np.uint8),
        fields={"labels": np.zeros((31, 50), np.uint8)},
        extra={},
        id="tall",
    )
    report = evaluate(predictor("seg"), [people()[0], tall])
    assert (report.count, report.failures) == (2, ())


def test_evaluate__errors_of_the_code_are_not_swallowed():
    class Broken(Records):
        def __getitem__(self, index):
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        evaluate(predictor("seg"), Broken(people()))


def test_evaluate__reference_mode_counts_as_the_original():
    reference = evaluate(predictor("seg", compat="reference"), people()[:3])
    shares = [v for k, v in reference.metrics.items() if k.startswith("iou/")]
    assert reference.metrics["miou"] == pytest.approx(np.nan_to_num(shares).mean())
    assert reference.compat == "reference"


def test_evaluate__no_box_is_a_failure_with_a_name():
    bare = dataclasses.replace(people()[0], extra={}, id="bare")
    report = evaluate(predictor("pose"), [bare, people()[1]])
    assert report.count == 1
    assert "bare: pose needs the person's box" in report.failures[0].message


def test_evaluate__people_may_be_looked_for():
    from sapiens.detection import Detections

    class Half:
        """Finds one box, the left half of every picture."""

        name = "half"

        def __call__(self, images):
            return [Detections(np.array([[0, 0, 17, 47]], np.float32), np.ones(1, np.float32)) for _ in images]

    report = evaluate(predictor("pose", detector=Half()), people(), find_people=True)
    assert "boxes of people: a detector's" in report.notes
    assert report.metrics["people_found"] < 1
