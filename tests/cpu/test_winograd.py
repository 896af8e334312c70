"""Winograd convolutions equal torch's."""

import pytest
import torch
from torch import nn
from torch.nn.functional import pixel_shuffle

from sapiens.cpu.winograd import THREE, TWO, WinogradConv2d, WinogradDeconv2d, transformed

SIZES = [
    pytest.param((8, 8), id="whole tiles"),
    pytest.param((5, 7), id="broken tiles"),
    pytest.param((1, 1), id="one pixel"),
    pytest.param((3, 1700), id="a row of more tiles than a strip holds"),
    pytest.param((130, 66), id="several strips"),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_conv__equals_torch(size, shuffle, bias):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(6, 8, 3, padding=1, bias=bias), torch.randn(2, 6, *size)
    with torch.inference_mode():
        expected = pixel_shuffle(layer(x), shuffle)
        y = WinogradConv2d(layer, shuffle)(x)
    torch.testing.assert_close(y, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_conv__products_in_bfloat16(size):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(64, 32, 3, padding=1), torch.randn(1, 64, *size)
    with torch.inference_mode():
        expected, y = pixel_shuffle(layer(x), 2), WinogradConv2d(layer, 2, torch.bfloat16)(x)
    assert y.dtype == torch.float32
    assert (y - expected).norm() / expected.norm() < 0.03


def test_conv__a_large_mean_is_kept():
    torch.manual_seed(0)
    layer, x = nn.Conv2d(64, 32, 3, padding=1), torch.randn(1, 64, 24, 20) + 100
    with torch.inference_mode():
        expected, y = layer.double()(x.double()), WinogradConv2d(layer.float())(x)
    assert (y - expected).norm() / expected.norm() < 2e-6


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bias", [True, False])
def test_deconv__equals_torch(size, bias):
    torch.manual_seed(0)
    layer, x = nn.ConvTranspose2d(6, 5, 4, 2, 1, bias=bias), torch.randn(2, 6, *size)
    with torch.inference_mode():
        expected, y = layer(x), WinogradDeconv2d(layer)(x)
    torch.testing.assert_close(y, expected, atol=2e-5, rtol=0)


def test_conv__takes_maps_in_any_format_and_gives_channels_last():
    layer, x = nn.Conv2d(6, 8, 3, padding=1), torch.randn(1, 6, 12, 8)
    fast = WinogradConv2d(layer)
    with torch.inference_mode():
        first, second = fast(x), fast(x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(first, second)
    assert first.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scheme", [THREE, TWO], ids=["three taps", "two taps"])
def test_schemes__are_exact_in_float64(scheme):
    generator = torch.Generator().manual_seed(1)
    kernel = torch.randn(scheme.taps, dtype=torch.float64, generator=generator)
    tile = torch.randn(scheme.frequencies, dtype=torch.float64, generator=generator)
    weight = torch.tensor(scheme.kernel, dtype=torch.float64) @ kernel
    into, out = torch.empty(scheme.frequencies, 1, dtype=torch.float64), torch.empty(4, 1, dtype=torch.float64)
    scheme.into(tile[:, None].unbind(), into.unbind())
    scheme.out((into * weight[:, None]).unbind(), out.unbind())
    expected = tile.unfold(0, scheme.taps, 1) @ kernel
    torch.testing.assert_close(out[:, 0], expected)


def test_transformed__order_is_frequency_then_channels_in_and_out():
    assert transformed(torch.randn(5, 7, 3, 3), THREE).shape == (36, 7, 5)
    assert transformed(torch.randn(5, 7, 2, 2), TWO).shape == (25, 7, 5)
