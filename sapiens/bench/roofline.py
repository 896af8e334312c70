"""How long a backbone must take at the rates of this machine's own matrix products and attention."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens.backbones.sizes import build_backbone, get_size

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Roofline:
    """What the parts of a backbone take by themselves.

    Attributes:
        products: floating-point operations and seconds of all matrix products, by `torch.nn.functional.linear`.
        attention: likewise, by `scaled_dot_product_attention`.
    """

    products: tuple[float, float]
    attention: tuple[float, float]

    @property
    def seconds(self) -> float:
        """Of all of them."""
        return self.products[1] + self.attention[1]

    def text(self, taken: float, dtype: str) -> str:
        """One line beside a measured time of the backbone."""
        rates = [f"{work / seconds / 1e9:,.0f} GFLOP/s" for work, seconds in (self.products, self.attention)]
        return (
            f"roofline of the backbone in {dtype}: torch's products at its shapes {self.products[1]:.3g} s "
            f"({rates[0]}), attention {self.attention[1]:.3g} s ({rates[1]}); together {self.seconds:.3g} s, which is "
            f"{100 * self.seconds / taken:.0f} % of the best pass ({taken:.3g} s)"
        )


def measure_roofline(size: str, batch: int, threads: int, dtype: torch.dtype = torch.float32) -> Roofline:
    """Time one of each kind of product and attention of a backbone, the best of two, in this process.

    Args:
        size: of the backbone, at its own input size.
        batch: pictures.
        threads: of the CPU.
        dtype: of everything.
    """
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    products, attentions = _shapes(size, batch)

    def tensor(*shape: int) -> Tensor:
        return torch.randn(shape, device=device, dtype=dtype)

    with torch.inference_mode():
        flops = seconds = 0.0
        for (rows, inner, outer), count in products.items():
            x, weight, bias = tensor(rows, inner), tensor(outer, inner), tensor(outer)
            seconds += count * _best(lambda x=x, w=weight, b=bias: F.linear(x, w, b), device)  # type: ignore[misc]
            flops += count * 2.0 * rows * inner * outer
        matrix = flops, seconds
        flops = seconds = 0.0
        for (heads, keys, tokens, depth), count in attentions.items():
            # As the backbone does: heads that share keys stand in one sequence.
            q, k = tensor(batch, keys, heads // keys * tokens, depth), tensor(batch, keys, tokens, depth)
            seconds += count * _best(lambda q=q, k=k: F.scaled_dot_product_attention(q, k, k), device)  # type: ignore[misc]
            flops += count * 4.0 * batch * heads * tokens * tokens * depth
    return Roofline(matrix, (flops, seconds))


def _shapes(size: str, batch: int) -> tuple[Counter[Shape], Counter[Shape]]:
    """(rows, in, out) of all products and (heads, key heads, tokens, head size) of all attentions, counted."""
    spec = get_size(size)
    with torch.device("meta"):
        model: Any = build_backbone(size)
    products: Counter[Shape] = Counter()
    attentions: Counter[Shape] = Counter()

    def seen_linear(layer: nn.Linear, args: tuple[Tensor], _: Tensor) -> None:
        products[args[0].numel() // layer.in_features, layer.in_features, layer.out_features] += 1

    def seen_attention(layer: Any, args: tuple[Tensor], _: Tensor) -> None:
        attentions[layer.num_heads, layer.num_kv_heads, args[0].shape[1], layer.head_dim] += args[0].shape[0] // batch

    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(seen_linear)
        elif hasattr(layer, "num_kv_heads"):
            layer.register_forward_hook(seen_attention)
    patch = model.patch_embed.projection
    rows = spec.input_hw[0] // patch.stride[0] * (spec.input_hw[1] // patch.stride[1])
    products[batch * rows, patch.weight[0].numel(), patch.out_channels] += 1
    with torch.inference_mode():
        model.eval()(torch.empty(batch, 3, *spec.input_hw, device="meta"))
    return products, attentions


def _best(call: Callable[[], Tensor], device: torch.device) -> float:
    times = []
    for _ in range(3 if device.type == "cuda" else 2):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
