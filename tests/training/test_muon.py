"""Muon: its steps, what it trains, and that it resumes."""

import pytest
import torch
from torch import nn

from sapiens.config import Optim
from sapiens.training.muon import Muon, orthogonalised, suits
from sapiens.training.optimiser import make_optimiser, parameter_groups


@pytest.mark.parametrize("shape", [(32, 32), (32, 96), (96, 32)], ids=["square", "wide", "tall"])
def test_orthogonalised__singular_values_are_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_orthogonalised__keeps_directions():
    torch.manual_seed(0)
    matrix = torch.randn(40, 60)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert ((orthogonalised(matrix) * (u @ v)).sum() / 40) > 0.8


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param((64, 64), True, id="matrix"),
        pytest.param((32, 64, 3, 3), True, id="kernel"),
        pytest.param((64,), False, id="vector"),
        pytest.param((3, 64, 1, 1), False, id="last layer"),
        pytest.param((1, 1, 64), False, id="token"),
    ],
)
def test_suits__matrices_that_are_not_thin(shape, expected):
    assert suits(torch.zeros(shape)) is expected


def test_groups__every_parameter_once():
    model = nn.Sequential(nn.Linear(32, 32), nn.LayerNorm(32), nn.Linear(32, 4))
    groups = parameter_groups(model.named_parameters(), Optim(kind="muon"), 1)
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(id(p) for p in model.parameters())
    assert [p.shape for g in groups if g["muon"] for p in g["params"]] == [(32, 32)]


def test_step__moves_a_matrix_as_far_as_the_learning_rate_says():
    torch.manual_seed(0)
    model = nn.Linear(64, 64, bias=False)
    before = model.weight.detach().clone()
    optimiser = make_optimiser([("weight", model.weight)], Optim(kind="muon", lr=1e-2, weight_decay=0.0), 1)
    model.weight.grad = torch.randn(64, 64)
    optimiser.step()
    moved = (model.weight - before).square().mean().sqrt()
    assert 0.5 * 0.2e-2 < moved < 1.5 * 0.2e-2


def test_step__follows_the_gradient_down():
    torch.manual_seed(0)
    x, model = torch.randn(64, 48), nn.Linear(48, 48)
    target = x @ torch.randn(48, 48) * 0.1
    optimiser = make_optimiser(model.named_parameters(), Optim(kind="muon", lr=5e-2, weight_decay=0.0), 1)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (model(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_state__goes_on_as_if_never_stopped():
    def run(steps, state=None, weights=None):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 4))
        if weights is not None:
            model.load_state_dict(weights)
        optimiser = Muon(parameter_groups(model.named_parameters(), Optim(kind="muon", lr=1e-2), 1), (0.9, 0.99))
        if state is not None:
            optimiser.load_state_dict(state)
        for step in steps:
            for parameter in model.parameters():
                generator = torch.Generator().manual_seed(step)
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimiser.step()
        return model.state_dict(), optimiser.state_dict()

    whole, _ = run(range(6))
    weights, state = run(range(3))
    resumed, _ = run(range(3, 6), state, weights)
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
