import json
import re
from pathlib import Path

import pytest
import torch

from sapiens.config import Optim
from sapiens.tasks import get_task
from sapiens.tasks.base import build_model
from sapiens.training.optimiser import lr_factor, lr_multiplier, make_optimiser, parameter_groups, set_lr, weight_decay

GOLDEN = Path(__file__).parents[1] / "golden" / "train"
LAYERS = json.loads((GOLDEN / "layer_decay.json").read_text())
SCHEDULES = {k: v for k, v in json.loads((GOLDEN / "lr_schedule.json").read_text()).items() if k != "meaning"}
TASKS = list(LAYERS["heads_1b"])


@pytest.fixture(scope="module")
def shapes():
    with torch.device("meta"):
        return {name: p.ndim for name, p in build_model(get_task("seg"), "1b-4k").named_parameters()}


@pytest.mark.parametrize("part", ["backbone_1b", "tokenizer_1b_4k"])
def test_layer_decay__as_recorded(part, shapes) -> None:
    for name, (multiplier, decay) in LAYERS[part].items():
        assert lr_multiplier(name, 40, 0.9) == pytest.approx(multiplier, rel=1e-9), name
        assert weight_decay(name, shapes[name], 0.1) == decay, name


@pytest.mark.parametrize("task", TASKS)
def test_parameter_groups__count_and_heads_as_recorded(task) -> None:
    with torch.device("meta"):
        named = list(build_model(get_task(task), "1b").named_parameters())
    assert len(parameter_groups(named, Optim(layer_decay=0.9), 40)) == LAYERS["num_param_groups_1b"][task]
    dimensions = {name: p.ndim for name, p in named}
    for name, (multiplier, decay) in LAYERS["heads_1b"][task].items():
        assert (lr_multiplier(name, 40, 0.9), weight_decay(name, dimensions[name], 0.1)) == (multiplier, decay), name


@pytest.mark.parametrize("size", list(LAYERS["sizes"]))
def test_lr_multiplier__every_size(size) -> None:
    row = LAYERS["sizes"][size]
    names = {
        "embed": "backbone.cls_token",
        "first_block": "backbone.blocks.0.ln1.weight",
        "last_block": f"backbone.blocks.{row['num_layers'] - 1}.ln1.weight",
        "head": "decode_head.conv_seg.weight",
    }
    for key, name in names.items():
        assert lr_multiplier(name, row["num_layers"], row["rate"]) == pytest.approx(row[key], rel=1e-9)


@pytest.mark.parametrize("key", list(SCHEDULES))
def test_lr_factor__as_recorded(key) -> None:
    base, iterations, warmup = re.fullmatch(r"base([\d.]+)_iters(\d+)_warmup(\d+)", key).groups()
    optim = Optim(lr=float(base), warmup_iters=int(warmup))
    for iteration, lr in SCHEDULES[key].items():
        assert optim.lr * lr_factor(int(iteration), optim, int(iterations)) == pytest.approx(lr, rel=1e-9)


def test_set_lr__keeps_the_ratio_of_groups() -> None:
    token, kernel = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((1, 1, 2), (2, 2)))
    named = [("backbone.cls_token", token), ("decode_head.w", kernel)]
    optimiser = make_optimiser(named, Optim(lr=1.0, layer_decay=0.5), 2)
    set_lr(optimiser, 0.1)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.0125, 0.1])
