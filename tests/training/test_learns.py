"""That learning works, from pictures to metrics: a tiny network reaches stated numbers on people it has never seen.

Three blocks of 64 channels see 64x48 pixels and start from nothing. They learn five tasks at once from 512 procedural
people, then pose and points from the file that came of it; with Muon, on one thread, without augmentation, in a minute
and a half of one core. Everything is measured on 64 other people, beside the trivial answers which the 512 give. The
same training with each picture's targets taken from another must stay behind every bound (slow).

The bounds leave room for other machines and seeds:

| task | number | seeds 0, 1, 2 | bound | best trivial answer | targets shuffled |
|---|---|---|---|---|---|
| pose | `pck_box_10`, high | 0.63, 0.60, 0.62 | 0.50 | 0.39 | 0.35 |
| seg | `miou_common`, high | 0.129, 0.123, 0.125 | 0.095 | 0.053 | 0.066 |
| normal | `mean_deg`, low | 33.3, 32.4, 32.9 | 34.8 | 36.6 | 36.8 |
| pointmap | `y_mae_m`, low | 0.059, 0.065, 0.071 | 0.082 | 0.094 | 0.124 |
| matting | `alpha_mae`, low | 0.156, 0.154, 0.146 | 0.20 | 0.32 | 0.26 |
| albedo | `mae`, low | 0.070, 0.071, 0.071 | 0.082 | 0.090 | 0.19 |

Of points only their height in metres is learnt for certain, not yet their distance: `l2_m` was 0.48, 0.48 and 0.51
where the mean map has 0.545, but 0.53 and 0.57 after a hundred updates more. So distance is asked for on 32 pictures
that were trained on alone: 0.22, 0.26 and 0.29 where the mean map has 0.45.
"""

import dataclasses

import pytest
import torch

from sapiens.backbones import sizes
from sapiens.backbones.standalone.sapiens2 import Sapiens2
from sapiens.config import Optim, apply, parse_settings
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.evaluation import evaluate, trivial_answers
from sapiens.tasks.albedo import config as albedo
from sapiens.tasks.matting import config as matting
from sapiens.tasks.normal import config as normal
from sapiens.tasks.pointmap import config as pointmap
from sapiens.tasks.seg import config as seg
from sapiens.training.lesson import make_lesson
from sapiens.training.loop import Trainer
from sapiens.training.model import make_model
from sapiens.training.predictors import make_predictors
from sapiens.training.recipes import get_recipe

WIDTH, SIZE_HW = 64, (64, 48)
ARCH = {"embed_dims": WIDTH, "num_layers": 3, "num_heads": 2, "feedforward_channels": 192, "num_tokenizer_layers": 1}
HEADS = [
    (seg, {"conv_out_channels": (16,), "conv_kernel_sizes": (3,), "sees_picture": True}),
    (normal, {"conv_out_channels": (12,), "conv_kernel_sizes": (3,), "sees_picture": True}),
    (matting, {"conv_out_channels": (12,), "conv_kernel_sizes": (3,), "sees_picture": True}),
    (albedo, {"conv_out_channels": (16,), "conv_kernel_sizes": (3,), "sees_picture": True}),
    # Two halvings of an 8x6 grid leave 2x2 pixels of 32 channels.
    (pointmap, {"scale_final_layer": (128, 64, 32, 1)}),
]
FIVE, TWO = "pose,seg,normal,matting,albedo", "pose,pointmap"
# The focal length in canonical units follows the input's width. Normals of points that are still noise are noise.
POINTS = ['options={"canonical_focal_px": 24.0}', "loss.normal=0"]
SETTINGS = {
    FIVE: ["iterations=200", "optim.lr=0.02", "parts.pose.weight=2"],
    TWO: ["iterations=320", "optim.lr=0.01", "parts.pointmap.weight=1", *(f"parts.pointmap.{line}" for line in POINTS)],
    "pointmap": ["iterations=110", "optim.lr=0.02", *POINTS],
}
MUON = Optim(kind="muon", weight_decay=0.05, clip_norm=0, warmup_iters=10)

BETTER = {"high": lambda a, b: a > b, "low": lambda a, b: a < b}
BOUNDS = [
    ("pose", "pck_box_10", "high", 0.50),
    ("seg", "miou_common", "high", 0.095),
    ("normal", "mean_deg", "low", 34.8),
    ("pointmap", "y_mae_m", "low", 0.082),
    ("matting", "alpha_mae", "low", 0.20),
    ("albedo", "mae", "low", 0.082),
]


@pytest.fixture(autouse=True, scope="module")
def tiny():
    """A small nano, one thread."""
    small = dataclasses.replace(sizes.SIZES["nano"], arch="sapiens2_tiny", embed_dims=WIDTH, input_hw=SIZE_HW)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Sapiens2.arch_zoo, "sapiens2_tiny", ARCH)
        patch.setitem(sizes.SIZES, "nano", small)
        for config, changes in HEADS:
            patch.setitem(config.HEADS, "nano", {**config.HEADS["nano"], **changes})
        yield
    torch.set_num_threads(threads)


def people(seed, count):
    pictures = RenderedPeople(RenderSpec(seed, count, SIZE_HW))
    return [pictures[index] for index in range(count)]


@pytest.fixture(scope="module")
def known():
    return people(11, 512)


@pytest.fixture(scope="module")
def unknown():
    return people(12, 64)


def shuffled(pictures):
    """Each picture with the annotation of another."""
    return [
        dataclasses.replace(picture, image=other.image)
        for picture, other in zip(pictures, pictures[1:] + pictures[:1], strict=True)
    ]


def learn(tasks, pictures, folder, start=None):
    """Train as `sapiens train` does, without augmentation; returns a predictor for each task."""
    recipe = dataclasses.replace(get_recipe(tasks, "nano"), batch_size=8, workers=0, save_every=0, ema=0.0, optim=MUON)
    recipe = apply(recipe, parse_settings(SETTINGS[tasks]))
    lesson = make_lesson(recipe)
    examples = {sample.id: lesson.example(sample, None) for sample in pictures}
    lesson = dataclasses.replace(lesson, example=lambda sample, rng: examples[sample.id])
    model = make_model(recipe, "task" if start else "nothing", start)
    trainer = Trainer(recipe, lesson, model, pictures, folder, device="cpu")
    trainer.run()
    return make_predictors(recipe, trainer.weights(), torch.device("cpu"))


def learn_all(pictures, folder):
    """Five tasks from nothing, then pose and points from the file that came of it, which has no head for points."""
    first = learn(FIVE, pictures, folder / "five")
    return first | learn(TWO, pictures, folder / "two", folder / "five" / "model.safetensors")


@pytest.fixture(scope="module")
def predictors(known, tmp_path_factory):
    return learn_all(known, tmp_path_factory.mktemp("learnt"))


def assert_reaches(predictor, measured_on, learnt_from, metric, way, bound) -> None:
    """The metric is better than the bound, and the bound than every trivial answer."""
    task = predictor.task.name
    report = evaluate(predictor, measured_on, trivial=trivial_answers(task, learnt_from), shown=0)
    assert report.count == len(measured_on)
    assert BETTER[way](report.metrics[metric], bound), f"{task}: {metric} {report.metrics[metric]:.4f}, bound {bound}"
    assert report.trivial
    for name, metrics in report.trivial.items():
        assert BETTER[way](bound, metrics[metric]), f"{name} reaches {metrics[metric]:.4f} without learning"


@pytest.mark.parametrize(("task", "metric", "way", "bound"), BOUNDS, ids=[row[0] for row in BOUNDS])
def test_learns__people_it_has_never_seen(task, metric, way, bound, predictors, known, unknown) -> None:
    assert_reaches(predictors[task], unknown, known, metric, way, bound)


def test_learns__depth_of_pictures_it_saw(known, tmp_path) -> None:
    pictures = known[:32]
    assert_reaches(learn("pointmap", pictures, tmp_path)["pointmap"], pictures, pictures, "l2_m", "low", 0.33)


@pytest.mark.slow
def test_learns__nothing_from_targets_of_other_pictures(known, unknown, tmp_path) -> None:
    """The same training, broken: every bound tells it from one that works."""
    predictors = learn_all(shuffled(known), tmp_path)
    for task, metric, way, bound in BOUNDS:
        value = evaluate(predictors[task], unknown, shown=0).metrics[metric]
        assert BETTER[way](bound, value), f"{task}: {metric} {value:.4f} with shuffled targets, bound {bound}"
