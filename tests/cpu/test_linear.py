"""Matrix products by oneDNN, in float32 and of 8-bit integers."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from sapiens.cpu.linear import LEVELS, SAFE_LEVELS, Int8Linear, OneDnnLinear, has_onednn, quantised, weight_levels


@pytest.mark.skipif(not has_onednn(), reason="torch without oneDNN")
@pytest.mark.parametrize("shape", [(3, 16), (2, 5, 16), (1, 0, 16)], ids=["rows", "batch", "no rows"])
def test_onednn__equals_torch_and_shares_its_weights(shape):
    layer = nn.Linear(16, 24)
    fast, x = OneDnnLinear(layer), torch.randn(shape)
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), layer(x))
    assert fast.weight is layer.weight


@pytest.mark.parametrize("bias", [True, False])
def test_int8__is_within_a_percent(bias):
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 64, bias=bias), torch.randn(2, 40, 256)
    with torch.inference_mode():
        expected, y = layer(x), Int8Linear(layer)(x)
    assert y.shape == expected.shape
    assert (y - expected).norm() / expected.norm() < (0.015 if weight_levels() == LEVELS else 0.02)


def test_int8__is_exact_on_whole_numbers():
    layer, most = nn.Linear(4, 8, bias=False), weight_levels()
    weight = torch.randint(-most, most + 1, (8, 4)).float()
    weight[:, 0], x = most, torch.randint(-126, 127, (6, 4)).float()
    x[:, 0] = 127
    with torch.inference_mode():
        layer.weight.copy_(weight)
        torch.testing.assert_close(Int8Linear(layer)(x), layer(x), rtol=1e-6, atol=1e-2)


def test_int8__sums_do_not_saturate_without_vnni():
    program = """
import torch
from sapiens.cpu.linear import Int8Linear, weight_levels
layer, x = torch.nn.Linear(512, 64, bias=False), torch.rand(40, 512)
layer.weight.data.abs_()  # nothing cancels
with torch.inference_mode():
    y, expected = Int8Linear(layer)(x), layer(x)
print(weight_levels(), float((y - expected).norm() / expected.norm()))
"""
    # Read when torch is loaded; of no effect but on x86.
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )  # fmt: skip
    levels, error = done.stdout.split()
    assert int(levels) in (LEVELS, SAFE_LEVELS)
    assert float(error) < 0.005


def test_weight_levels__told_by_a_product_that_saturates(monkeypatch):
    assert weight_levels.__wrapped__() in (LEVELS, SAFE_LEVELS)
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: torch.full((64, 64), 256 * 127 * 127 - 1))
    assert weight_levels.__wrapped__() == SAFE_LEVELS


def test_quantised__zeros_stay_zeros_and_the_largest_is_127():
    whole, scale = quantised(torch.tensor([[0.0, 0.0], [0.5, -1.0]]))
    assert whole.tolist() == [[0, 0], [64, -127]]
    assert scale.isfinite().all()
    assert scale[1].item() == pytest.approx(1 / 127)
