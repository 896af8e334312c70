"""A network with faster layers computes what it computed before."""

import copy

import pytest
import torch
from torch import nn

from sapiens.backbones.standalone.sapiens2 import Sapiens2
from sapiens.cpu import swap
from sapiens.cpu.block import StripBlock
from sapiens.cpu.linear import Int8Linear
from sapiens.cpu.norm import ChannelNormSiLU, InstanceNormSiLU
from sapiens.cpu.swap import speed_up
from sapiens.cpu.winograd import WinogradConv2d, WinogradDeconv2d
from sapiens.errors import InputError
from sapiens.nn.decoders import ChannelRMSNorm, InstanceNorm, conv_stack, deconv_stack, shuffle_stack


@pytest.fixture(autouse=True)
def _narrow_too(monkeypatch):
    monkeypatch.setattr(swap, "MIN_WIDTH", 0)


def fast(module, **settings):
    return speed_up(copy.deepcopy(module), **settings)


def kinds(module):
    return {type(layer) for layer in module.modules()}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("stack", "layer"),
    [
        pytest.param(conv_stack(192, (64, 8), (3, 3)), WinogradConv2d, id="convolutions"),
        pytest.param(conv_stack(192, (64,), (3,), norm="channel"), ChannelNormSiLU, id="channel norm"),
        pytest.param(shuffle_stack(192, (64, 4)), WinogradConv2d, id="pixel shuffle"),
        pytest.param(deconv_stack(192, (64, 8), (4, 4)), WinogradDeconv2d, id="transposed"),
        pytest.param(conv_stack(8, (8,), (1,)), InstanceNormSiLU, id="too few channels for Winograd"),
    ],
)
def test_stacks__same_numbers(stack, layer, batch):
    torch.manual_seed(0)
    x = torch.randn(batch, stack[0].in_channels if hasattr(stack[0], "in_channels") else 192, 10, 12)
    with torch.inference_mode():
        expected, swapped = stack(x), fast(stack)
        assert layer in kinds(swapped)
        torch.testing.assert_close(swapped(x), expected, atol=5e-5, rtol=1e-4)
        torch.testing.assert_close(swapped(x), expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("stack", [conv_stack(192, (64,), (2,)), conv_stack(192, (64,), (3,), stride=2)])
def test_stacks__other_kernels_are_left(stack):
    assert not kinds(fast(stack)) & {WinogradConv2d, WinogradDeconv2d}


def test_instance_norm__statistics_of_many_strips_and_a_large_mean():
    torch.manual_seed(0)
    x = torch.randn(2, 64, 96, 100) + 1000
    expected = nn.functional.silu(InstanceNorm()(x.double())).float()
    with torch.inference_mode():
        y = InstanceNormSiLU()(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected, atol=2e-4, rtol=0)


def test_instance_norm__one_pixel():
    with pytest.raises(InputError, match="more than one pixel"):
        InstanceNormSiLU()(torch.zeros(1, 4, 1, 1))


def test_channel_norm__equals_the_two_layers():
    norm, x = ChannelRMSNorm(6), torch.randn(2, 6, 5, 7)
    with torch.inference_mode():
        expected = nn.functional.silu(norm(x))
        torch.testing.assert_close(ChannelNormSiLU(norm)(x), expected)


@pytest.mark.parametrize("size", [(64, 48), (320, 256)], ids=["one strip", "two strips"])
def test_backbone__same_features(size):
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", out_type="featmap", layer_scale_init_value=0.1, out_indices=(1, 5)).eval()
    image = torch.randn(2, 3, *size)
    with torch.inference_mode():
        swapped = fast(model)
        assert StripBlock in kinds(swapped)
        for y, expected in zip(swapped(image), model(image), strict=True):
            torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-4)


def test_backbone__grouped_keys():
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", layer_cfgs={"num_kv_heads": 2}, layer_scale_init_value=0.1).eval()
    image = torch.randn(1, 3, 300, 256)
    with torch.inference_mode():
        torch.testing.assert_close(fast(model)(image)[0], model(image)[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("windows", [(2, 3), (6, 7)], ids=["one strip", "an incomplete last strip"])
def test_backbone__tokenizer(windows):
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", use_tokenizer=True, patch_size=8).eval()
    image = torch.randn(1, 3, *(32 * n for n in windows))
    with torch.inference_mode():
        torch.testing.assert_close(fast(model)(image)[0], model(image)[0], atol=1e-5, rtol=1e-4)


def test_int8__replaces_all_linear_layers_and_stays_close():
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", layer_scale_init_value=0.1).eval()
    image = torch.randn(1, 3, 128, 96)
    with torch.inference_mode():
        swapped = fast(model, int8=True)
        expected, y = model(image)[0], swapped(image)[0]
    assert Int8Linear in kinds(swapped)
    assert nn.Linear not in kinds(swapped)
    assert (y - expected).norm() / expected.norm() < 0.02


@pytest.mark.parametrize("has_it", [True, False])
def test_int8__wide_convolutions_multiply_in_bfloat16_where_the_processor_does(has_it, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(swap, "computes_in", lambda name: has_it)
    stack, x = conv_stack(192, (256, 64), (3, 3)), torch.randn(1, 192, 12, 10)
    with torch.inference_mode():
        expected, y = fast(stack)(x), fast(stack, int8=True)(x)
    assert torch.equal(y, expected) is not has_it
    assert (y - expected).norm() / expected.norm() < 0.05


def test_bfloat16__blocks_alone_are_replaced():
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", layer_scale_init_value=0.1).eval()
    image = torch.randn(1, 3, 320, 256)
    half = copy.deepcopy(model).bfloat16()
    with torch.inference_mode():
        expected, y = model(image)[0], fast(half)(image.bfloat16())[0]
    assert kinds(fast(half)) - kinds(half) == {StripBlock}
    assert y.dtype == torch.bfloat16
    assert (y - expected).norm() / expected.norm() < 0.02


def test_narrow_backbones__are_left_alone(monkeypatch):
    monkeypatch.undo()
    model = Sapiens2("sapiens2_nano")
    assert kinds(fast(model)) == kinds(model)
