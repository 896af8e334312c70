"""Parameters and work of a network, counted on the meta device: no memory, no arithmetic.

One multiply-add is 2 FLOPs. Only matrix products, convolutions and the two products of attention count; norms,
activations and softmax do not. The figures of the public model card follow no such convention exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Work:
    """Multiply-adds of one forward pass.

    Attributes:
        linear: of linear layers.
        convolution: of convolutions and transposed convolutions.
        attention: of queries by keys and of weights by values.
    """

    linear: int
    convolution: int
    attention: int

    def __add__(self, other: Work) -> Work:
        return Work(self.linear + other.linear, self.convolution + other.convolution, self.attention + other.attention)

    @property
    def multiply_adds(self) -> int:
        """All together."""
        return self.linear + self.convolution + self.attention

    @property
    def flops(self) -> int:
        """Floating-point operations, two for each multiply-add."""
        return 2 * self.multiply_adds


def count_parameters(module: nn.Module) -> int:
    """Number of parameters; buffers, such as the rotary periods, are left out."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure_flops(module: nn.Module, input_hw: tuple[int, int], *, in_channels: int = 3) -> Work:
    """Work of one picture of `input_hw` (rows, columns); source: `torch.utils.flop_counter`.

    Args:
        module: a backbone or a task's network, on any device; it may return anything and is left as it is.
    """
    tensors = chain(module.named_parameters(), module.named_buffers())
    on_meta = {name: tensor.detach().to("meta") for name, tensor in tensors}
    image = torch.empty(1, in_channels, *input_hw, device="meta", dtype=next(module.parameters()).dtype)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(module, on_meta, (image,))
    flops = dict.fromkeys(("linear", "convolution", "attention"), 0)
    for operation, count in counter.get_flop_counts().get("Global", {}).items():
        flops[_kind(str(operation))] += count
    return Work(**{kind: count // 2 for kind, count in flops.items()})


def _kind(operation: str) -> str:
    if "convolution" in operation:
        return "convolution"
    # On the meta device attention is two batched products, and these networks have no others.
    return "attention" if "scaled_dot_product" in operation or "bmm" in operation else "linear"
