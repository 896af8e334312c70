"""What a run starts from."""

import dataclasses

import pytest
import torch
from safetensors.torch import save_file

from sapiens.config import Recipe
from sapiens.errors import InputError
from sapiens.training.model import make_model

RECIPE = Recipe(task="seg,normal", size="nano", iterations=1, batch_size=1, input_hw=(128, 96))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    model = make_model(dataclasses.replace(RECIPE, task="pose,seg", seed=3))
    path = tmp_path_factory.mktemp("joint") / "joint.safetensors"
    save_file(model.state_dict(), path)
    return model, path


def test_make_model__several_tasks_from_nothing_follow_the_seed():
    first, second, other = (make_model(dataclasses.replace(RECIPE, seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_make_model__new_heads_are_quiet():
    model = make_model(RECIPE).eval()
    with torch.no_grad():
        outputs = model(torch.randn(1, 3, 128, 96))
    assert {name: float(value.abs().max()) < 2 for name, value in outputs.items()} == {"seg": True, "normal": True}


def test_make_model__tasks_the_file_lacks_get_new_heads(stored):
    before, path = stored
    model = make_model(RECIPE, "task", path)
    assert list(model.decode_heads) == ["seg", "normal"]
    for name, tensor in model.state_dict().items():
        if not name.startswith("decode_heads.normal"):
            assert torch.equal(tensor, before.state_dict()[name]), name
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_make_model__one_task_of_a_file_of_several(stored):
    before, path = stored
    model = make_model(dataclasses.replace(RECIPE, task="seg"), "task", path)
    assert torch.equal(model.decode_head.conv_seg.weight, before.decode_heads["seg"].conv_seg.weight)


def test_make_model__unknown_start():
    with pytest.raises(InputError, match="start: expected task, backbone or nothing, got 'zero'"):
        make_model(RECIPE, "zero")
