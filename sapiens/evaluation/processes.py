"""One process or several, each with its share of the pictures; what they found is exchanged as plain arrays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from sapiens.env import process_count
from sapiens.errors import require

Arrays = Mapping[str, npt.NDArray[Any]]
_WORDS = "words"
"""Name of the array that holds a message's JSON."""


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: its number, from 0.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def share(self, total: int) -> range:
        """This process's part of `total` records: each belongs to exactly one process, neighbours stay together."""
        return range(total * self.rank // self.count, total * (self.rank + 1) // self.count)

    def exchange(self, arrays: Arrays, words: Any) -> list[tuple[dict[str, npt.NDArray[Any]], Any]]:
        """What every process gave, by rank, on every process.

        Args:
            arrays: by name; any dtype but objects.
            words: anything JSON can hold.
        """
        if self.count == 1:
            return [(dict(arrays), words)]
        return [_unpack(data) for data in _gather(_pack(arrays, words), self.count)]


def join() -> Processes:
    """The processes that `torchrun` or `accelerate launch` started with this one, or this one alone.

    Raises:
        MissingDependencyError: started with others, and accelerate is not installed.
    """
    if not (dist.is_available() and dist.is_initialized()):
        if process_count() == 1:
            return Processes()
        require("accelerate", "train").PartialState()
    return Processes(dist.get_rank(), dist.get_world_size())


def own_device() -> str:
    """The device that belongs to this process among several: its own GPU, or the CPU."""
    return str(require("accelerate", "train").PartialState().device)


def _pack(arrays: Arrays, words: Any) -> bytes:
    """As an npz file: unlike what torch.distributed makes of objects, nothing in it is ever unpickled."""
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(words).encode(), np.uint8)
    named = {f"arrays/{name}": values for name, values in arrays.items()}
    np.savez(file, allow_pickle=False, **{_WORDS: text, **named})
    return file.getvalue()


def _unpack(data: bytes) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name.removeprefix("arrays/"): file[name] for name in file.files if name != _WORDS}
        return arrays, json.loads(file[_WORDS].tobytes())


def _gather(data: bytes, count: int) -> Sequence[bytes]:
    """The bytes of every process, by rank."""
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    size = torch.tensor([len(data)], device=device)
    sizes = [torch.zeros_like(size) for _ in range(count)]
    dist.all_gather(sizes, size)
    longest = max(int(s) for s in sizes)
    padded = torch.zeros(longest, dtype=torch.uint8)
    padded[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    parts = [torch.zeros(longest, dtype=torch.uint8, device=device) for _ in range(count)]
    dist.all_gather(parts, padded.to(device))
    return [part.cpu().numpy().tobytes()[: int(s)] for part, s in zip(parts, sizes, strict=True)]
