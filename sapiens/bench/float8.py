"""Linear layers of 8-bit floating point (e4m3), as a trial: no option of `sapiens.load` until it has been measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGEST = 448.0
"""Of e4m3."""


class Float8Linear(nn.Module):
    """A linear layer of e4m3 numbers, one scale per output of the weight and per row of the input."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, source: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = source.in_features, source.out_features
        weight, scale = _scaled(source.weight.detach())
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("scale", scale.T.contiguous(), persistent=False)
        bias = None if source.bias is None else source.bias.detach().to(torch.bfloat16)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features) bfloat16."""
        rows, scale = _scaled(x.reshape(-1, self.in_features))
        y: Tensor = torch._scaled_mm(
            rows, self.weight.T, scale_a=scale, scale_b=self.scale, bias=self.bias, out_dtype=torch.bfloat16
        )
        return y.view(*x.shape[:-1], self.out_features)


def _scaled(rows: Tensor) -> tuple[Tensor, Tensor]:
    values = rows.float()
    scale = values.abs().amax(1, keepdim=True).clamp(min=1e-12) / LARGEST
    return (values / scale).to(torch.float8_e4m3fn), scale


def use_float8(blocks: nn.Module) -> None:
    """Replace the linear layers below a module, in place."""
    for parent in list(blocks.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, Float8Linear(child))
