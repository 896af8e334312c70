"""Initial weights of heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sapiens.nn.init import init_head_


def build(*, transposed: bool) -> nn.ModuleDict:
    torch.manual_seed(0)
    head = nn.ModuleDict(
        {
            "conv": nn.Conv2d(64, 32, 3),
            "deconv": nn.ConvTranspose2d(64, 32, 4, bias=False),
            "linear": nn.Linear(256, 128),
            "norm": nn.RMSNorm(8),
        }
    )
    init_head_(head, transposed=transposed)
    return head


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("conv", (2 / (32 * 9)) ** 0.5),
        (
            "deconv",
            (2 / (64 * 16)) ** 0.5,
        ),  # torch takes the first axis of any weight for its outputs; here it is the inputs
        ("linear", (1 / 256) ** 0.5),
    ],
    ids=["convolution", "transposed convolution", "linear"],
)
def test_init_head__standard_deviations(name: str, std: float) -> None:
    head = build(transposed=True)
    weight = head[name].weight
    assert abs(weight.std().item() / std - 1) < 0.05
    assert weight.abs().max() > 2.5 * std  # normal, not uniform


def test_init_head__biases_zero_and_norms_one() -> None:
    head = build(transposed=True)
    assert not head["conv"].bias.any()
    assert not head["linear"].bias.any()
    assert torch.equal(head["norm"].weight, torch.ones(8))


def test_init_head__part_head_keeps_torchs_transposed_convolutions() -> None:
    torch.manual_seed(0)
    nn.Conv2d(64, 32, 3)
    expected = nn.ConvTranspose2d(64, 32, 4, bias=False).weight
    assert torch.equal(build(transposed=False)["deconv"].weight, expected)
