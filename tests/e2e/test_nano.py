"""The embedded nano: what ships, that it is taken where nothing else is, and that it has learned."""

import functools
import logging

import numpy as np
import pytest

import sapiens
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.evaluation.run import evaluate
from sapiens.inference import predictor as predictors
from sapiens.inference.predictor import NANO_NOTE
from sapiens.tasks import TASKS
from sapiens.weights import NANO_FILE, identify

# Well below what `sapiens evaluate --all --size nano` prints on 256 pictures, far above the trivial answers.
LEARNED = {
    "pose": ("pck_box", "above", 0.75),
    "seg": ("miou_common", "above", 0.33),
    "normal": ("mean_deg", "below", 22.0),
    "pointmap": ("l2_aligned_m", "below", 0.2),
    "matting": ("alpha_mae", "below", 0.04),
    "albedo": ("mae", "below", 0.058),
}


@functools.cache
def people() -> RenderedPeople:
    return RenderedPeople(RenderSpec(seed=900_004, count=16, size_hw=(128, 96)))


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No weights on this machine, and no network."""
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_file__is_small_and_holds_every_task():
    assert NANO_FILE.stat().st_size < 30e6
    identity = identify(NANO_FILE)
    assert (set(identity.task.split(",")), identity.size) == (set(TASKS), "nano")


@pytest.mark.parametrize("name", TASKS)
def test_nano__has_learned(name, nowhere):
    metric, side, bound = LEARNED[name]
    value = evaluate(sapiens.load(name, "nano", device="cpu"), people(), shown=1).metrics[metric]
    assert value > bound if side == "above" else value < bound, f"{metric} {value:.3f}"


def test_load__no_weights_anywhere_takes_nano_and_says_so_once(nowhere, caplog):
    predictors._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="sapiens"):
        first, second = (sapiens.load("seg", device="cpu") for _ in range(2))
    assert [record.message.count(NANO_NOTE) for record in caplog.records] == [1]
    assert first.name == second.name == "sapiens2_nano_seg"
    assert NANO_NOTE in first(people()[0].image).meta.notes


def test_load__a_size_that_was_asked_for_is_never_replaced(nowhere):
    with pytest.raises(sapiens.WeightsError, match="no seg weights at 1b"):
        sapiens.load("seg", "1b", device="cpu")


def test_pose__nano_finds_people_by_itself(nowhere):
    predictor = sapiens.load("pose", "nano", device="cpu")
    results = predictor([people()[k].image for k in range(6)])
    assert sum(len(result.boxes_xyxy) >= 1 for result in results) >= 5
    assert all(np.isfinite(result.keypoints).all() for result in results)


def test_pose__nobody_is_an_empty_result(nowhere):
    result = sapiens.load("pose", "nano", device="cpu")(np.full((128, 96, 3), 127, np.uint8))
    assert result.keypoints.shape == (len(result.boxes_xyxy), 308, 2)


def test_pointmap__metres_have_the_size_of_a_person(nowhere):
    sample = people()[1]
    result = sapiens.load("pointmap", "nano", device="cpu")(sample.image)
    known = sample.fields["mask"]
    assert 0.4 < np.median(result.depth_m[known]) / np.median(sample.fields["depth_m"][known]) < 2.5
