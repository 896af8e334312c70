"""Initial weights of the heads, after He et al. 2015, https://arxiv.org/abs/1502.01852."""

from __future__ import annotations

from torch import nn


def init_head_(head: nn.Module, *, transposed: bool = True) -> None:
    """Initialise a head in place.

    Convolutions: Kaiming normal, fan-out, ReLU gain. Linear layers: Kaiming normal, fan-in, gain 1. Biases: zero.
    Norms keep the ones they are built with. On the meta device nothing happens.

    Args:
        head: any module.
        transposed: also initialise transposed convolutions (torch counts their input channels as fan-out); False leaves
            them at torch's default, as the released part-segmentation model had it.
    """
    if all(parameter.is_meta for parameter in head.parameters()):
        return  # there is nothing to fill, and drawing normal numbers there makes torch import its compiler first
    kinds = (nn.Conv2d, nn.ConvTranspose2d) if transposed else (nn.Conv2d,)
    for module in head.modules():
        if isinstance(module, kinds):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
