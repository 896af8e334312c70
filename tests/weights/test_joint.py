"""Files of several tasks on one backbone."""

import pytest
import torch
from safetensors.torch import save_file

from sapiens.config import Recipe
from sapiens.errors import WeightsError
from sapiens.tasks import get_task
from sapiens.tasks.base import build_model
from sapiens.training.model import make_model
from sapiens.weights import identify, load_model

RECIPE = Recipe(task="seg,normal", size="nano", iterations=1, batch_size=1, input_hw=(128, 96))


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    model = make_model(RECIPE)
    path = tmp_path_factory.mktemp("joint") / "both.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return model, path


def test_identify__names_all_tasks(joint):
    identity = identify(joint[1])
    assert (identity.task, identity.size) == ("normal,seg", "nano")


@pytest.mark.parametrize("task", ["seg", "normal"])
def test_load__a_task_takes_the_backbone_and_its_head(joint, task):
    model, path = joint
    with torch.device("meta"):
        single = build_model(get_task(task), "nano")
    load_model(single, path, task=task, size="nano")
    image = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        assert torch.equal(single.eval()(image), model.eval()(image)[task])


def test_load__joint_model_takes_everything(joint):
    model, path = joint
    with torch.device("meta"):
        other = make_model(RECIPE)
    load_model(other, path, task="seg,normal", size="nano")
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_load__task_that_is_not_in_the_file(joint):
    with torch.device("meta"):
        single = build_model(get_task("albedo"), "nano")
    with pytest.raises(WeightsError, match="this is normal,seg at nano; expected albedo at nano"):
        load_model(single, joint[1], task="albedo", size="nano")
