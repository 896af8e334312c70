"""Decoder stacks: sizes, names, and norms against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sapiens.errors import InputError
from sapiens.nn.decoders import (
    ChannelRMSNorm,
    DeconvDecoder,
    InstanceNorm,
    ShuffleDecoder,
    conv_stack,
    deconv_stack,
    shuffle_stack,
)

FORMATS = [
    pytest.param(torch.contiguous_format, id="default"),
    pytest.param(torch.channels_last, id="channels last"),
]


def draw(*shape: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)) + mean


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("mean", [0.0, 30.0], ids=["centred", "large mean"])
def test_instance_norm__equals_torchs_in_float64(memory_format: torch.memory_format, mean: float) -> None:
    x = draw(2, 5, 40, 30, mean=mean).contiguous(memory_format=memory_format)
    y = InstanceNorm()(x)
    assert (y - F.instance_norm(x.double())).abs().max() < 1e-5
    assert y.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_instance_norm__bfloat16_keeps_float32_statistics(memory_format: torch.memory_format) -> None:
    x = draw(1, 4, 16, 12, mean=30.0).bfloat16().contiguous(memory_format=memory_format)
    y = InstanceNorm()(x)
    assert y.dtype == torch.bfloat16
    assert (y.double() - F.instance_norm(x.double())).abs().max() < 0.02


def test_instance_norm__gradients_equal_in_both_formats() -> None:
    x = draw(1, 3, 6, 5)
    weight = draw(1, 3, 6, 5).cos()
    grads = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        leaf = x.clone(memory_format=memory_format).requires_grad_()
        (InstanceNorm()(leaf) * weight).sum().backward()
        grads.append(leaf.grad)
    assert grads[0].abs().max() > 0.1
    assert torch.allclose(grads[0], grads[1], atol=1e-6)


def test_instance_norm__single_pixel_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"more than one pixel, got a map of shape \(2, 3, 1, 1\)"):
        InstanceNorm()(torch.zeros(2, 3, 1, 1))


def test_channel_rms_norm__is_per_pixel() -> None:
    norm = ChannelRMSNorm(4)
    torch.nn.init.constant_(norm.norm.weight, 2.0)
    x = draw(1, 4, 3, 2)
    expected = 2 * x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6)
    assert torch.allclose(norm(x), expected, atol=1e-6)


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_deconv_stack__doubles_exactly(kernel: int) -> None:
    stack = deconv_stack(6, [5, 4], [kernel, kernel])
    assert stack(draw(1, 6, 7, 3)).shape == (1, 4, 28, 12)
    assert list(stack.state_dict()) == ["0.weight", "3.weight"]


@pytest.mark.parametrize(
    ("kernel", "stride", "size_hw"), [(1, 1, (7, 5)), (3, 1, (7, 5)), (1, 2, (4, 3)), (3, 2, (4, 3))]
)
def test_conv_stack__size(kernel: int, stride: int, size_hw: tuple[int, int]) -> None:
    stack = conv_stack(6, [5], [kernel], stride=stride)
    assert stack(draw(1, 6, 7, 5)).shape == (1, 5, *size_hw)


def test_shuffle_stack__names_and_size() -> None:
    stack = shuffle_stack(6, [5, 4], norm="channel")
    assert stack(draw(1, 6, 3, 2)).shape == (1, 4, 12, 8)
    assert [name for name in stack.state_dict() if name.startswith("1.")] == [
        "1.0.weight",
        "1.0.bias",
        "1.2.norm.weight",
    ]


@pytest.mark.parametrize("empty", [None, (), []], ids=["None", "tuple", "list"])
def test_stacks__no_widths_is_the_identity(empty: object) -> None:
    decoder = DeconvDecoder(6, empty, (4, 4, 4), empty, None)
    x = draw(1, 6, 2, 2)
    assert decoder.decode(x) is x
    assert decoder.width == 6
    assert decoder.state_dict() == {}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: deconv_stack(6, [4, 4], [4]), r"deconv_layers: 2 widths \(4, 4\) but 1 kernel sizes"),
        (lambda: deconv_stack(6, [4], [5]), "kernel size 5 cannot double a map, expected 2, 3 or 4"),
        (lambda: conv_stack(6, [4], None), "conv_layers: 1 widths .* but 0 kernel sizes"),
        (lambda: ShuffleDecoder(6, [4], [4], [1, 1]), "conv_layers: 1 widths .* but 2 kernel sizes"),
    ],
    ids=["fewer kernels", "kernel 5", "no kernels", "more kernels"],
)
def test_stacks__bad_lists_are_one_clear_line(build: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("norm", ["instance", "channel"])
def test_shuffle_decoder__keeps_channels_last_and_the_numbers(norm: str) -> None:
    decoder = ShuffleDecoder(8, [6, 4], [4], [3], norm=norm).eval()
    x = draw(1, 8, 5, 4)
    with torch.no_grad():
        plain = decoder.decode(x)
        last = decoder.to(memory_format=torch.channels_last).decode(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(plain, last, atol=1e-5)
