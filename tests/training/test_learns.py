"""That learning works, from pictures to metrics: a tiny network trained for seconds reaches stated numbers.

The network has three blocks of 64 channels, sees 64x48 pixels and is trained with Muon on one thread. First on 32
procedural people which it must then know: far better than any trivial answer made from these same pictures. Then two
tasks on 256 others, measured on people it has never seen. Points are not asked for there: seconds do not suffice.

The bounds leave room for other machines. Here the numbers, and the best trivial answer's, were: pose 0.69 (0.09), seg
0.39 (0.05), normal 16.8 (35.6), pointmap 0.26 (0.45), matting 0.084 (0.33), albedo 0.070 (0.091); never seen: seg 0.090
(0.051), matting 0.18 (0.32).
"""

import dataclasses

import pytest
import torch

from sapiens.backbones import sizes
from sapiens.backbones.standalone.sapiens2 import Sapiens2
from sapiens.config import Optim, apply, parse_settings
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.evaluation import evaluate, trivial_answers
from sapiens.tasks.learning import get_learning
from sapiens.tasks.pointmap import config as pointmap
from sapiens.training.lesson import make_lesson
from sapiens.training.loop import Trainer
from sapiens.training.model import make_model
from sapiens.training.predictors import make_predictors
from sapiens.training.recipes import get_recipe

WIDTH, SIZE_HW = 64, (64, 48)
BEST_FIRST = {"high": lambda a, b: a > b, "low": lambda a, b: a < b}
SETTINGS = {
    # The focal length in canonical units follows the input's width. Normals of points that are still noise are noise.
    "pointmap": ['options={"canonical_focal_px": 24.0}', "loss.normal=0"],
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """nano's heads on a smaller backbone, one thread."""
    arch = {
        "embed_dims": WIDTH,
        "num_layers": 3,
        "num_heads": 2,
        "feedforward_channels": 192,
        "num_tokenizer_layers": 1,
    }
    monkeypatch.setitem(Sapiens2.arch_zoo, "sapiens2_tiny", arch)
    small = dataclasses.replace(sizes.SIZES["nano"], arch="sapiens2_tiny", embed_dims=WIDTH, input_hw=SIZE_HW)
    monkeypatch.setitem(sizes.SIZES, "nano", small)
    # Two halvings of an 8x6 grid leave 2x2 pixels of 32 channels.
    monkeypatch.setitem(pointmap.HEADS, "nano", {**pointmap.HEADS["nano"], "scale_final_layer": (128, 64, 32, 1)})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Some procedural people of a seed; rendered once."""
    folder = tmp_path_factory.mktemp("rendered")

    def some(seed, count):
        pictures = RenderedPeople(RenderSpec(seed, count, SIZE_HW), folder)
        return [pictures[index] for index in range(count)]

    return some


def learn(task, pictures, updates, folder):
    """Train as `sapiens train` does, without augmentation; returns the predictor."""
    optim = Optim(kind="muon", lr=2e-2, weight_decay=0.05, clip_norm=0, warmup_iters=10)
    recipe = dataclasses.replace(
        get_recipe(task, "nano"), iterations=updates, batch_size=6, workers=0, save_every=0, optim=optim
    )
    recipe = apply(recipe, parse_settings(SETTINGS.get(task, [])))
    examples = {sample.id: get_learning(task).example(sample, None, recipe) for sample in pictures}
    lesson = dataclasses.replace(make_lesson(recipe), example=lambda sample, rng: examples[sample.id])
    trainer = Trainer(recipe, lesson, make_model(recipe), pictures, folder, device="cpu")
    trainer.run()
    return make_predictors(recipe, trainer.weights(), torch.device("cpu"))[task]


def assert_reaches(predictor, measured_on, learnt_from, metric, way, bound) -> None:
    """The metric is better than the bound, and the bound than every trivial answer."""
    task = predictor.task.name
    report = evaluate(predictor, measured_on, trivial=trivial_answers(task, learnt_from), shown=0)
    better = BEST_FIRST[way]
    assert report.count == len(measured_on)
    assert better(report.metrics[metric], bound), f"{task}: {metric} {report.metrics[metric]:.4f}, bound {bound}"
    for name, metrics in report.trivial.items():
        assert better(bound, metrics[metric]), f"{name} reaches {metrics[metric]:.4f} without learning"


KNOWN = [
    ("pose", 80, "pck_box", "high", 0.45),
    ("seg", 100, "miou_common", "high", 0.28),
    ("normal", 100, "mean_deg", "low", 22.0),
    ("pointmap", 110, "l2_m", "low", 0.33),
    ("matting", 100, "alpha_mae", "low", 0.14),
    ("albedo", 100, "mae", "low", 0.083),
]


@pytest.mark.parametrize(("task", "updates", "metric", "way", "bound"), KNOWN, ids=[row[0] for row in KNOWN])
def test_learns__the_pictures_it_saw(task, updates, metric, way, bound, people, tmp_path) -> None:
    pictures = people(11, 32)
    assert_reaches(learn(task, pictures, updates, tmp_path), pictures, pictures, metric, way, bound)


UNKNOWN = [("seg", 110, "miou_common", "high", 0.070), ("matting", 110, "alpha_mae", "low", 0.25)]


@pytest.mark.parametrize(("task", "updates", "metric", "way", "bound"), UNKNOWN, ids=[row[0] for row in UNKNOWN])
def test_learns__people_it_has_never_seen(task, updates, metric, way, bound, people, tmp_path) -> None:
    pictures = people(11, 256)
    assert_reaches(learn(task, pictures, updates, tmp_path), people(12, 48), pictures, metric, way, bound)
