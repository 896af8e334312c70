"""Counted parameters and work against the recorded table."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from sapiens.backbones.counts import Work, count_parameters, measure_flops
from sapiens.backbones.sizes import build_backbone
from sapiens.tasks import get_task
from sapiens.tasks.base import build_model

# reference/model.md, section 12: parameters, then 10^12 FLOPs at 1024x768: linear, convolution, attention, total
TABLE = [
    pytest.param("0.1b", 113_993_472, 0.698, 0.004, 0.350, 1.051, id="0.1b"),
    pytest.param("0.4b", 395_450_368, 2.429, 0.005, 0.933, 3.367, id="0.4b"),
    pytest.param("0.8b", 814_283_520, 5.008, 0.006, 1.555, 6.569, id="0.8b"),
    pytest.param("1b", 1_455_474_176, 8.955, 0.007, 2.333, 11.296, id="1b"),
    pytest.param("5b", 5_066_902_976, 31.198, 0.011, 5.171, 36.380, id="5b"),
]


@pytest.mark.parametrize(("size", "parameters", "linear", "convolution", "attention", "total"), TABLE)
def test_backbones__recorded_table(
    size: str, parameters: int, linear: float, convolution: float, attention: float, total: float
) -> None:
    with torch.device("meta"):
        model = build_backbone(size)
    work = measure_flops(model, (1024, 768))
    split = [round(2 * count / 1e12, 3) for count in (work.linear, work.convolution, work.attention)]
    assert count_parameters(model) == parameters
    assert split == [linear, convolution, attention]
    assert round(work.flops / 1e12, 3) == total


def test_parameters__of_the_4k_model() -> None:
    with torch.device("meta"):
        assert count_parameters(build_backbone("1b-4k")) == 1_606_588_928


@pytest.mark.parametrize("task", ["pose", "seg", "normal", "pointmap", "matting", "albedo"])
def test_tasks__head_adds_convolutions(task: str) -> None:
    with torch.device("meta"):
        backbone, model = build_backbone("nano"), build_model(get_task(task), "nano")
    alone, together = measure_flops(backbone, (128, 96)), measure_flops(model, (128, 96))
    assert together.attention == alone.attention
    assert together.convolution > alone.convolution
    assert (together.linear > alone.linear) == (task == "pointmap"), "the scale branch ends in linear layers"


def test_work__by_hand() -> None:
    layers = nn.Sequential(nn.Conv2d(2, 5, 2, 2), nn.ConvTranspose2d(5, 3, 2, 2), nn.Flatten(), nn.Linear(3 * 4 * 6, 7))
    work = measure_flops(layers, (4, 6), in_channels=2)
    assert work == Work(linear=7 * 72, convolution=5 * 2 * 4 * 6 + 5 * 3 * 4 * 6, attention=0)
    assert (work.multiply_adds, work.flops) == (504 + 600, 2 * 1104)
    with pytest.raises(dataclasses.FrozenInstanceError):
        work.linear = 0  # type: ignore[misc]


def test_module__left_as_it_is() -> None:
    model = build_backbone("nano").train()
    model.rope_embed(4, 3)
    measure_flops(model.bfloat16(), (64, 48))
    assert model.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert model.rope_embed(4, 3)[0].device.type == "cpu"
