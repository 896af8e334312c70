"""What a run is started with."""

import json

import pytest

from sapiens.config import apply, to_dict
from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.write import write_bytes
from sapiens.tasks import TASKS
from sapiens.training.origin import Origin, choose_start, read_origin, read_recipe, resolve
from sapiens.training.recipes import get_recipe


@pytest.mark.parametrize("tasks", [*TASKS, "pose,seg,normal", ",".join(TASKS)])
@pytest.mark.parametrize("size", ["nano", "1b"])
def test_read_recipe__gives_back_what_was_stored(tasks, size, tmp_path):
    recipe = resolve(tasks, size, settings=["seed=3", "optim.betas=[0.8, 0.9]"])
    write_bytes(tmp_path / "recipe.json", json.dumps(to_dict(recipe)).encode())
    assert read_recipe(tmp_path) == recipe
    assert apply(get_recipe(tasks, size), to_dict(recipe)) == recipe


def test_origin__comes_back(tmp_path):
    origin = Origin("synth:count=5", "", 5, 0, "nothing", "")
    origin.write(tmp_path)
    assert read_origin(tmp_path) == origin


@pytest.mark.parametrize("read", [read_origin, read_recipe])
def test_read__no_run(read, tmp_path):
    with pytest.raises(InputError, match="holds no run to resume"):
        read(tmp_path)


def test_resolve__a_file_then_single_settings(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("iterations = 7\nbatch_size = 3\n[loss]\ndice = 0.5\n[optim]\nlr = 1e-3\n")
    recipe = resolve("seg", "0.4b", file=file, settings=["batch_size=4", "optim.lr=2e-3"])
    assert (recipe.iterations, recipe.batch_size, recipe.loss.dice, recipe.optim.lr) == (7, 4, 0.5, 2e-3)
    assert recipe.optim.layer_decay == 0.8


WRONG = [
    ("unknown field", ["iteration=3"], UnknownNameError, "'iteration'"),
    ("unknown nested field", ["augment.flipp=1"], UnknownNameError, "flipp"),
    ("wrong type", ["batch_size=many"], InputError, "batch_size: expected int, got 'many'"),
    ("not a setting", ["fast"], InputError, "expected NAME=VALUE"),
    ("another task", ["task=pose"], InputError, "settings are for pose at nano, the run is for seg at nano"),
    ("out of range", ["iterations=0"], InputError, "iterations: expected at least 1"),
]


@pytest.mark.parametrize(("settings", "error", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_resolve__refuses(settings, error, message):
    with pytest.raises(error) as caught:
        resolve("seg", "nano", settings=settings)
    assert message in caught.value.message


def test_resolve__names_the_nearest_field():
    with pytest.raises(UnknownNameError) as caught:
        resolve("seg", "nano", settings=["optim.layerdecay=1"])
    assert caught.value.hint == "did you mean 'layer_decay'?"


def test_get_recipe__the_headline_chooses_the_best():
    assert (get_recipe("seg", "nano").best, get_recipe("seg", "nano").best_is) == ("miou", "high")
    assert (get_recipe("normal", "1b").best, get_recipe("normal", "1b").best_is) == ("mean_deg", "low")
    assert (get_recipe("seg,normal", "nano").best, get_recipe("seg,normal", "nano").best_is) == ("score", "high")


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [
        pytest.param(None, "nano", "nothing", id="no pretrained backbone"),
        pytest.param(None, "0.4b", "backbone", id="a pretrained backbone"),
        pytest.param("task", "nano", "task", id="asked for"),
    ],
)
def test_choose_start__without_weights(start, size, expected):
    assert choose_start(start, size, None) == expected


def test_choose_start__weights_that_would_not_be_used(tmp_path):
    with pytest.raises(InputError, match="would not be used"):
        choose_start("nothing", "nano", tmp_path / "w.safetensors")
