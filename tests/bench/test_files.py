"""`sapiens bench files`, and the 8-bit floating point that is tried on GPUs."""

import pytest
import torch
from torch import nn

from sapiens.bench import files
from sapiens.bench.float8 import Float8Linear, use_float8


def test_files__every_dense_task(monkeypatch):
    monkeypatch.setattr(files, "SIZE_HW", (64, 48))
    monkeypatch.setattr(files, "PER_REPEAT", 3)
    outcome = files.run(repeats=1)
    assert [row["task"] for row in outcome["rows"]] == ["seg", "normal", "pointmap", "matting", "albedo"]
    assert all(row["share"] > 0 for row in outcome["rows"])


def test_float8__is_within_five_percent():
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 64), torch.randn(2, 32, 256)
    try:
        y = Float8Linear(layer)(x)
    except (RuntimeError, NotImplementedError) as error:
        pytest.skip(f"this processor multiplies no 8-bit floating point: {error}")
    assert y.shape == (2, 32, 64)
    assert (y - layer(x)).norm() / layer(x).norm() < 0.05


def test_use_float8__replaces_all_linear_layers():
    stack = nn.Sequential(nn.Linear(16, 16), nn.Sequential(nn.Linear(16, 16, bias=False)))
    use_float8(stack)
    assert [type(layer) for layer in (stack[0], stack[1][0])] == [Float8Linear, Float8Linear]
