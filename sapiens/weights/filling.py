"""Weights that no file has: repeatable untrained ones, and the RoPE periods."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from sapiens.weights.layouts import may_be_absent
from sapiens.weights.placing import assign, goal_dtype, place

UNTRAINED = "untrained"
"""Fingerprint of untrained weights."""


def untrained(
    model: nn.Module, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu", seed: int = 0
) -> str:
    """Fill a model that was built on the meta device with untrained weights, to try the machinery with.

    Every tensor follows from its name, its shape and the seed alone: matrices and kernels are normal with variance
    1 / fan-in, norms 1, biases 0, LayerScale 0.1, tokens normal with deviation 0.02. So results are the same on every
    machine, and differ from picture to picture, but mean nothing.

    Returns:
        the fingerprint, "untrained".
    """
    expected = model.state_dict()
    device = torch.device(device)

    def fill(name: str) -> Tensor:
        shape, goal = expected[name].shape, goal_dtype(expected[name].dtype, dtype)
        made = periods(model, name) if may_be_absent(name) else _draw(name, shape, seed)
        return place(made, expected[name].dtype, goal, device)

    # Drawing releases the interpreter lock, and each tensor has its own generator.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        assign(model, dict(zip(expected, pool.map(fill, expected), strict=True)))
    return UNTRAINED


def periods(model: nn.Module, name: str) -> Tensor:
    """The RoPE periods of the released models (base 100), computed as the model does when it is built with memory."""
    rope: Any = model.get_submodule(name.rpartition(".")[0])
    dtype = "bf16" if rope.dtype == torch.bfloat16 else "fp32"
    with torch.device("cpu"):
        made: Tensor = type(rope)(4 * rope.periods.numel(), dtype=dtype).periods
    return made


def _draw(name: str, shape: torch.Size, seed: int) -> Tensor:
    if name.endswith("gamma.weight"):
        return torch.full(shape, 0.1)
    if len(shape) < 2:
        return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + seed)
    is_token = shape[0] == 1 and len(shape) == 3
    deviation = 0.02 if is_token else _fan_in(name, shape) ** -0.5
    return torch.empty(shape).normal_(0, deviation, generator=generator)


def _fan_in(name: str, shape: torch.Size) -> int:
    """Inputs per output; a transposed convolution of stride 2 has its inputs first and uses a quarter of its kernel."""
    if "deconv" in name:
        return max(1, shape[0] * shape[2:].numel() // 4)
    return shape[1:].numel()
