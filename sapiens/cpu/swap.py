"""Puts the faster layers in the place of torch's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from sapiens.backbones.standalone.sapiens2 import Block
from sapiens.cpu.attention import attend_bfloat16
from sapiens.cpu.block import StripBlock
from sapiens.cpu.linear import Int8Linear, OneDnnLinear, has_onednn
from sapiens.cpu.norm import ChannelNormSiLU, InstanceNormSiLU
from sapiens.cpu.processor import computes_in
from sapiens.cpu.winograd import WinogradConv2d, WinogradDeconv2d
from sapiens.nn.decoders import ChannelRMSNorm, InstanceNorm

MIN_IN, MIN_OUT = 192, 64
"""Fewer channels than these, and the transforms take longer than the multiplications they save."""
MIN_ROUNDED = 256
"""Channels out from which products in bfloat16 save more than the conversions take."""
MIN_WIDTH = 384
"""Of a backbone: that of nano is over before there is anything to save."""


def speed_up(model: nn.Module, *, int8: bool = False) -> nn.Module:
    """Replace layers of a network in place; it can then predict on a CPU, and no longer be trained or saved.

    Args:
        model: any network of this package, in float32 or bfloat16; of the latter only the blocks are replaced.
        int8: linear layers of 8-bit integers, and attention and wide convolutions in bfloat16 where the processor
            computes in it, all of which change the numbers; else float32 differs in the order of sums alone.
    """
    widths = [block.attn.wq.in_features for block in model.modules() if isinstance(block, Block)]
    if widths and max(widths) < MIN_WIDTH and not int8:
        return model
    in_float32 = next(model.parameters()).dtype == torch.float32
    rounds = (int8 or not in_float32) and computes_in("bfloat16")
    attend = attend_bfloat16 if rounds else F.scaled_dot_product_attention
    for parent in list(model.modules()):
        if in_float32 and isinstance(parent, nn.Sequential):
            _swap_stack(parent, rounds=rounds)
        for name, child in parent.named_children():
            if in_float32 and type(child) is nn.Linear:
                setattr(parent, name, _linear(child, int8=int8))
            elif type(child) is Block:
                setattr(parent, name, StripBlock(child, attend))
    return model


def _linear(layer: nn.Linear, *, int8: bool) -> nn.Module:
    if int8:
        return Int8Linear(layer)
    return OneDnnLinear(layer) if has_onednn() else layer


def _swap_stack(stack: nn.Sequential, *, rounds: bool) -> None:
    """Convolution, perhaps a pixel shuffle, norm, SiLU: the order of all decoder stacks."""
    for index, layer in enumerate(stack):
        following = stack[index + 1] if index + 1 < len(stack) else None
        if isinstance(layer, nn.Conv2d) and _is_plain(layer):
            shuffle = following.upscale_factor if isinstance(following, nn.PixelShuffle) else 1
            products = torch.bfloat16 if rounds and layer.out_channels >= MIN_ROUNDED else torch.float32
            stack[index] = WinogradConv2d(layer, shuffle, products)
            if shuffle > 1:
                stack[index + 1] = nn.Identity()
        elif isinstance(layer, nn.ConvTranspose2d) and _is_doubling(layer):
            stack[index] = WinogradDeconv2d(layer)
        elif isinstance(layer, InstanceNorm) and isinstance(following, nn.SiLU):
            stack[index], stack[index + 1] = InstanceNormSiLU(), nn.Identity()
        elif isinstance(layer, ChannelRMSNorm) and isinstance(following, nn.SiLU):
            stack[index], stack[index + 1] = ChannelNormSiLU(layer), nn.Identity()


def _is_plain(layer: nn.Conv2d) -> bool:
    return (
        (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (1, 1))
        and (layer.dilation, layer.groups, layer.padding_mode) == ((1, 1), 1, "zeros")
        and _is_wide(layer)
    )


def _is_doubling(layer: nn.ConvTranspose2d) -> bool:
    return (
        (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        and (layer.output_padding, layer.dilation, layer.groups) == ((0, 0), (1, 1), 1)
        and _is_wide(layer)
    )


def _is_wide(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    return layer.in_channels >= MIN_IN and layer.out_channels >= MIN_OUT
