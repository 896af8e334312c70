"""Put tensors where a model on the meta device has none."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import torch
from torch import Tensor, nn


def goal_dtype(native: torch.dtype, dtype: torch.dtype) -> torch.dtype:
    """Dtype of a tensor in a model that runs in `dtype`, given its dtype in the model as built.

    As loading in float32 and calling `.to(dtype)` afterwards would give it: float32 casts nothing, so that the RoPE
    periods stay in bfloat16, as the released numbers need them; the other dtypes cast every floating-point tensor.
    """
    return native if dtype == torch.float32 or not native.is_floating_point else dtype


def place(
    tensor: Tensor, native: torch.dtype, goal: torch.dtype, device: torch.device, *, copy: bool = False
) -> Tensor:
    """A tensor on a device, rounded to the dtype of the model as built, then to the goal.

    Args:
        copy: with memory of its own even if nothing has to be converted.
    """
    # Only the periods are ever rounded twice: to bfloat16 as `load_state_dict` does, then as `.to()` does.
    made = tensor if native == torch.float32 else tensor.to(native)
    return made.to(device=device, dtype=goal, copy=copy)


def assign(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Make these tensors the model's own, without a copy.

    Raises:
        RuntimeError: names are missing or too many, or something of the model is still without data.
    """
    model.load_state_dict(state, strict=True, assign=True)
    empty = [name for name, tensor in chain(model.named_parameters(), model.named_buffers()) if tensor.is_meta]
    if empty:
        raise RuntimeError(f"still without data, as no state dict holds them: {', '.join(empty)}")
