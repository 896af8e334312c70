"""Lessons: one task, and several on one backbone."""

import numpy as np
import pytest
import torch

from sapiens.config import apply, parse_settings
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks import TASKS
from sapiens.tasks.base import TaskModel
from sapiens.training.data import Example, collate
from sapiens.training.lesson import make_lesson, split_tasks
from sapiens.training.model import make_model
from sapiens.training.recipes import get_recipe

ALL = ",".join(TASKS)


@pytest.fixture(scope="module")
def people():
    return RenderedPeople(RenderSpec(seed=8, count=4, size_hw=(128, 96)))


def batch_of(lesson, people, rng=None):
    return collate([Example(lesson.example(people[k], rng), str(k)) for k in range(2)]).tensors


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param("", "expected a task", id="none"),
        pytest.param("seg,seg", "different ones", id="twice"),
        pytest.param(" , ", "expected a task", id="only commas"),
    ],
)
def test_split_tasks__bad_lists(names, message):
    with pytest.raises(InputError, match=message):
        split_tasks(names)


def test_get_recipe__unknown_task_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown .*'sge'"):
        get_recipe("sge,pose", "nano")


@pytest.mark.parametrize("name", TASKS)
def test_single_lesson__loss_has_a_gradient_everywhere(name, people):
    recipe = get_recipe(name, "nano")
    lesson, model = make_lesson(recipe), make_model(recipe)
    batch = batch_of(lesson, people)
    assert batch["input"].shape == (2, 3, 128, 96)
    assert batch["input"].dtype == torch.uint8
    terms = lesson.loss(lesson.forward(model, batch["input"].float() / 64 - 2), batch)
    terms["loss"].backward()
    assert torch.isfinite(terms["loss"])
    without = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []


def test_joint_lesson__total_is_the_weighted_sum(people):
    recipe = get_recipe(ALL, "nano")
    lesson, model = make_lesson(recipe), make_model(recipe)
    batch = batch_of(lesson, people)
    with torch.no_grad():
        terms = lesson.loss(lesson.forward(model, batch["input"].float() / 64 - 2), batch)
    expected = sum(recipe.parts[name].weight * float(terms[f"{name}/loss"]) for name in TASKS)
    assert float(terms["loss"]) == pytest.approx(expected, rel=1e-5)


def test_joint_lesson__same_terms_as_each_task_alone(people):
    """Without augmentation a picture of the network's aspect is letterboxed alike by the joint view and by a task."""
    joint = get_recipe("normal,albedo", "nano")
    lesson, model = make_lesson(joint), make_model(joint).eval()
    batch = batch_of(lesson, people)
    with torch.no_grad():
        terms = lesson.loss(lesson.forward(model, batch["input"].float() / 64 - 2), batch)
        for name in ("normal", "albedo"):
            single = make_lesson(get_recipe(name, "nano"))
            own = batch_of(single, people)
            pixels = own["input"].float() / 64 - 2
            alone = TaskModel(model.backbone, model.decode_heads[name])
            raw = single.forward(alone, pixels)
            assert float(single.loss(raw, own)["loss"]) == pytest.approx(float(terms[f"{name}/loss"]), rel=0.02)


def test_joint_lesson__input_size_of_the_run_holds_for_every_task(people):
    recipe = apply(get_recipe("pose,seg", "nano"), parse_settings(["input_hw=[64,48]"]))
    batch = batch_of(make_lesson(recipe), people, np.random.default_rng(0))
    assert batch["input"].shape == (2, 3, 64, 48)
    assert batch["pose/heatmaps"].shape == (2, 308, 16, 12)
    assert batch["seg/labels"].shape == (2, 64, 48)


def test_recipe__parts_are_set_by_name_and_unknown_ones_are_errors():
    recipe = apply(get_recipe("pose,seg", "nano"), parse_settings(["parts.seg.weight=3", "parts.seg.loss.dice=0.5"]))
    assert (recipe.parts["seg"].weight, recipe.parts["seg"].loss.dice) == (3.0, 0.5)
    assert recipe.parts["pose"].weight == 1.0
    with pytest.raises(UnknownNameError, match=r"unknown .*'sge'"):
        apply(recipe, parse_settings(["parts.sge.weight=3"]))
