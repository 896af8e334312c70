"""Which device and dtype "auto" means."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sapiens.cpu.processor import computes_in
from sapiens.errors import InputError, UnknownNameError

_log = logging.getLogger("sapiens")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SHORT = {"fp32": "float32", "f32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16"}


def pick_device(device: str | torch.device) -> torch.device:
    """CUDA, then Apple's MPS, then the CPU for "auto"; otherwise what was asked for, if this machine has it.

    Raises:
        InputError: a device that does not exist here.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"unknown device {str(device)!r}; expected cpu, cuda, cuda:1, mps or auto") from error
    if chosen.type == "cuda" and (not torch.cuda.is_available() or (chosen.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise InputError(f"device {str(device)!r} is not there: this machine has {count} CUDA devices", "device='cpu'")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' is not there on this machine", "device='cpu'")
    return chosen


INT8 = "int8"


def pick_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA devices that compute in it, float32 elsewhere for "auto"; float16 only when asked for.

    "int8" gives float32, which is what everything but its linear layers computes in.

    Raises:
        UnknownNameError: names the nearest dtype.
        InputError: int8 on a GPU.
    """
    if isinstance(dtype, torch.dtype):
        dtype = str(dtype).removeprefix("torch.")
    if dtype == "auto":
        good = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
        return torch.bfloat16 if good else torch.float32
    if dtype == INT8:
        if device.type != "cpu":
            raise InputError(f"dtype int8 is for CPUs, this is {device.type}", hint="dtype='bfloat16'")
        return torch.float32
    name = _SHORT.get(dtype, dtype)
    if name not in DTYPES:
        raise UnknownNameError("dtype", dtype, [*DTYPES, INT8, "auto"])
    if device.type == "cpu" and name != "float32" and not computes_in(name):
        _log.warning("this processor has no %s arithmetic: expect it to be far slower than float32", name)
    return DTYPES[name]


COMPILE_MODE = "max-autotune-no-cudagraphs"
"""CUDA graphs would have every pass write over the last one's outputs while these are still being finished."""


def check_compile(device: torch.device, compat: str) -> None:
    """Whether a network may be compiled.

    Raises:
        InputError: not on CUDA, or in reference mode.
    """
    if device.type != "cuda":
        raise InputError(f"compile is for CUDA GPUs, this is {device.type}", hint="a CPU has fast layers without it")
    if compat == "reference":
        raise InputError("compile changes how numbers are rounded: expected compat='default', got 'reference'")


class _Streams(threading.local):
    """A CUDA stream for each device that a thread works on."""

    def __init__(self) -> None:
        self.of: dict[torch.device, torch.cuda.Stream] = {}


_streams = _Streams()


@contextmanager
def beside_network(device: torch.device, inputs: Iterable[Tensor]) -> Iterator[None]:
    """On CUDA, run what is inside on a stream of this thread's own: it need not wait for the network's next pass.

    Args:
        device: where the inputs are.
        inputs: complete, as the host has waited for them; they may be let go afterwards.
    """
    if device.type != "cuda":
        yield
        return
    if device not in _streams.of:
        _streams.of[device] = torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]
    stream = _streams.of[device]
    for tensor in inputs:
        if tensor.is_cuda:
            # Its memory is not given to the network's next pass before this stream is done with it.
            tensor.record_stream(stream)
    with torch.cuda.stream(stream):
        yield
