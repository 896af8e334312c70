"""Validation while training: the numbers of the evaluation, and the score of a joint run."""

import dataclasses
import math

import pytest
import torch

from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.errors import InputError
from sapiens.evaluation import evaluate
from sapiens.imaging.sample import Sample
from sapiens.tasks import TASKS
from sapiens.training.lesson import split_tasks
from sapiens.training.model import make_model
from sapiens.training.pictures import CELL_HW, GAP, Gallery
from sapiens.training.predictors import make_predictors
from sapiens.training.recipes import get_recipe
from sapiens.training.validation import Validation, score

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def people():
    samples = RenderedPeople(RenderSpec(seed=9, count=3, size_hw=(64, 48)))
    return [samples[k] for k in range(3)]


@pytest.fixture(scope="module")
def joint():
    recipe = get_recipe("seg,pose", "nano")
    return recipe, make_model(recipe).eval().state_dict()


def test_validation__is_the_evaluation_of_each_task(people, joint):
    recipe, weights = joint
    found = Validation(recipe, people, CPU)(weights)
    for task, predictor in make_predictors(recipe, weights, CPU).items():
        for name, value in evaluate(predictor, people).metrics.items():
            if "/" not in name:
                assert found[f"{task}/{name}"] == pytest.approx(value, nan_ok=True), name
    assert next(iter(found)) == "score"
    assert not any(name.count("/") > 1 for name in found)


def test_validation__one_task_has_plain_names(people):
    recipe = get_recipe("albedo", "nano")
    assert recipe.best in Validation(recipe, people, CPU)(make_model(recipe).state_dict())


def test_validation__counts_pictures_that_cannot_be_measured(people):
    recipe = get_recipe("albedo", "nano")
    blind = Sample(people[0].image, "blind", {})
    found = Validation(recipe, [*people, blind], CPU)(make_model(recipe).state_dict())
    assert found["failed"] == 1
    with pytest.raises(InputError, match="no picture can be measured for albedo; blind: has no"):
        Validation(recipe, [blind], CPU)(make_model(recipe).state_dict())


SCORES = [
    ("high and low", {"seg": {"miou": 0.5}, "normal": {"mean_deg": 20.0}}, math.sqrt(0.5 / 20)),
    ("nothing yet", {"seg": {"miou": 0.0}, "normal": {"mean_deg": 20.0}}, math.sqrt(1e-4 / 20)),
    ("one task", {"matting": {"alpha_mae": 0.01}}, 100.0),
]


@pytest.mark.parametrize(("found", "expected"), [row[1:] for row in SCORES], ids=[row[0] for row in SCORES])
def test_score__geometric_mean_of_headlines(found, expected):
    assert score(found) == pytest.approx(expected)


def test_score__unknown_headline_is_no_score():
    assert math.isnan(score({"seg": {"miou": math.nan}, "normal": {"mean_deg": 20.0}}))


def test_predictors__are_those_of_the_weights(people, joint):
    recipe, weights = joint
    predictors = make_predictors(recipe, weights, CPU)
    assert list(predictors) == split_tasks(recipe.task)
    assert predictors["seg"].model.backbone is predictors["pose"].model.backbone
    assert not predictors["pose"].setup.options.flip
    model = make_model(recipe).eval()
    model.load_state_dict(weights)
    with torch.no_grad():
        pixels = torch.randn(1, 3, *recipe.input_hw)
        assert torch.equal(predictors["seg"].model(pixels), model(pixels)["seg"])


def test_gallery__a_row_for_each_picture_and_task(people, tmp_path):
    recipe, seen = get_recipe(",".join(TASKS), "nano"), {}
    weights = make_model(recipe).state_dict()
    Gallery(recipe, people[:2], tmp_path, CPU, lambda image, update: seen.setdefault(update, image))(weights, 30)
    rows = 2 * len(TASKS)
    assert seen[30].shape == (rows * CELL_HW[0] + (rows - 1) * GAP, 3 * CELL_HW[1] + 2 * GAP, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000030.png"]
    input_, target = seen[30][: CELL_HW[0], : CELL_HW[1]], seen[30][: CELL_HW[0], CELL_HW[1] + GAP : -CELL_HW[1] - GAP]
    assert input_.std() > 10
    assert not (input_ == target).all()


def test_gallery__at_most_four_spread_over_the_data(people):
    many = [dataclasses.replace(people[0], id=str(k)) for k in range(10)]
    assert [s.id for s in Gallery(get_recipe("seg", "nano"), many, None, CPU).samples] == ["0", "3", "6", "9"]
