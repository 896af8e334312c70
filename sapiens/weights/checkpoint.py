"""A checkpoint file as a mapping from names to tensors that are read when asked for."""

from __future__ import annotations

import hashlib
import mmap
import pickle
import re
import zipfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sapiens.errors import WeightsError
from sapiens.weights.files import SUFFIXES
from sapiens.weights.header import Entry, read_header, what_begins

DIGEST_BYTES = 4096
"""How much of the beginning of each tensor goes into the fingerprint."""


class Checkpoint(Mapping[str, Tensor]):
    """Names and tensors of a file; the tensors lie in the mapped file, writing to them changes memory only.

    Attributes:
        path: the file.
        meta: name -> tensor without data (device "meta"): dtype and shape.
    """

    path: Path
    meta: dict[str, Tensor]

    @abstractmethod
    def read(self, name: str, *, stays: bool) -> Tensor:
        """A tensor of the file.

        Args:
            name: a name of `meta`.
            stays: it will be used as it is. Otherwise it is only passed through, to be copied or converted, and its
                part of the file leaves memory with it.
        """

    def __getitem__(self, name: str) -> Tensor:
        return self.read(name, stays=False)

    @abstractmethod
    def beginning(self, name: str) -> bytes:
        """The first `DIGEST_BYTES` bytes of a tensor."""

    def __len__(self) -> int:
        return len(self.meta)

    def __iter__(self) -> Iterator[str]:
        return iter(self.meta)

    def digest(self) -> str:
        """Fingerprint of the weights: 16 hexadecimal digits.

        It is made of the names, dtypes and shapes, and the first 4 KiB of every tensor, so it is cheap at any size, the
        same for `.safetensors` and `.pth`, and changed by every step of training. It is no protection against somebody
        who wants to deceive; the download checks the whole file.
        """
        total = hashlib.sha256()
        for name in sorted(self.meta):
            tensor = self.meta[name]
            total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            total.update(self.beginning(name))
        return total.hexdigest()[:16]


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a .safetensors, .pth, .pt or .bin file and check that it is complete; no tensor is read yet.

    Raises:
        WeightsError: no such file, cut short, damaged, not a checkpoint, or one that holds code.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file", f"expected a {', '.join(SUFFIXES)} file")
    if path.suffix not in SUFFIXES:
        raise WeightsError(f"{path}: not a kind of checkpoint known here", f"expected a {', '.join(SUFFIXES)} file")
    found = SafetensorsFile(path) if path.suffix == ".safetensors" else TorchFile(path)
    if not found.meta:
        raise WeightsError(f"{path}: holds no tensors")
    return found


class SafetensorsFile(Checkpoint):
    """See `sapiens.weights.header` for the layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = read_header(path)
        self.meta = {n: torch.empty(e.shape, dtype=e.dtype, device="meta") for n, e in self._entries.items()}
        self._whole: mmap.mmap | None = None

    def read(self, name: str, *, stays: bool) -> Tensor:
        """See `Checkpoint`. Tensors that stay share one mapping: each mapping costs a file descriptor."""
        entry = self._entries[name]
        if entry.start == entry.end:
            return torch.empty(entry.shape, dtype=entry.dtype)
        if not stays:
            base = entry.start // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            return _view(self._map(base, entry.end), entry, entry.start - base)
        if self._whole is None:
            self._whole = self._map(0, self.path.stat().st_size)
        return _view(self._whole, entry, entry.start)

    def beginning(self, name: str) -> bytes:
        entry = self._entries[name]
        with self.path.open("rb") as file:
            file.seek(entry.start)
            return file.read(min(DIGEST_BYTES, entry.end - entry.start))

    def _map(self, start: int, end: int) -> mmap.mmap:
        try:
            with self.path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), end - start, access=mmap.ACCESS_COPY, offset=start)
        except OSError as error:
            raise WeightsError(f"{self.path}: cannot be mapped into memory ({error.strerror})") from error
        if hasattr(mmap, "MADV_WILLNEED"):
            # All of it is about to be used: read it in one go instead of page by page.
            mapped.madvise(mmap.MADV_WILLNEED)
        return mapped


def _view(mapped: mmap.mmap, entry: Entry, offset: int) -> Tensor:
    size = entry.end - entry.start
    if entry.start % entry.dtype.itemsize:
        # Some writers pack without alignment; such a tensor is copied to where it may be used.
        packed = torch.frombuffer(mapped, dtype=torch.uint8, count=size, offset=offset).clone()
        return packed.view(entry.dtype).reshape(entry.shape)
    count = size // entry.dtype.itemsize
    return torch.frombuffer(mapped, dtype=entry.dtype, count=count, offset=offset).reshape(entry.shape)


class TorchFile(Checkpoint):
    """A file of `torch.save`: a state dict, bare or below "state_dict" or "model". Only tensors are ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _load_tensors(path)
        for wrapper in ("state_dict", "model"):
            if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
                content = content[wrapper]
                break
        if not isinstance(content, dict):
            raise WeightsError(f"{path}: holds a {type(content).__name__}, expected a state dict")
        strange = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
        if strange:
            raise WeightsError(
                f"{path}: not a state dict: {', '.join(strange[:5])} of {len(content)} entries are no tensors",
                "expected names and tensors, bare or below 'state_dict' or 'model'",
            )
        self._tensors: dict[str, Tensor] = content
        self.meta = {str(name): tensor.to("meta") for name, tensor in content.items()}

    def read(self, name: str, *, stays: bool) -> Tensor:
        """See `Checkpoint`. Here the whole file stays mapped as long as this object (one of the old kind: read)."""
        return self._tensors[name].detach().contiguous()

    def beginning(self, name: str) -> bytes:
        flat = self[name].reshape(-1)
        return flat[: DIGEST_BYTES // flat.dtype.itemsize].view(torch.uint8).numpy().tobytes()


def _load_tensors(path: Path) -> Any:
    is_archive = zipfile.is_zipfile(path)
    _check_kind(path, is_archive)
    try:
        # Files of the old kind (before torch 1.6) are no archives and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"(?:GLOBAL|global|class|Class) `?([\w.]+\.[\w.]+)", str(error))
        if culprit is None:
            raise WeightsError(f"{path}: not a PyTorch checkpoint", "download it again") from error
        raise WeightsError(
            f"{path}: refused: besides tensors it holds {culprit[1]}, and loading that could run code",
            "get the weights as .safetensors, or save the bare state dict again where you trust the file",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{path}: cut short or damaged", "download it again") from error


def _check_kind(path: Path, is_archive: bool) -> None:
    """Turn away what `torch.load` would only warn about."""
    if is_archive:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise WeightsError(f"{path}: refused: a TorchScript program, not a state dict")
        return
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise WeightsError(f"{path}: the file is empty", "download it again")
    if start.startswith(b"PK"):
        raise WeightsError(f"{path}: cut short: the end of the archive is missing", "download it again")
    if start.startswith(b"\x80") and not start.startswith(b"\x80\x02"):
        raise WeightsError(f"{path}: refused: a plain pickle, and loading it could run code")
    if not start.startswith(b"\x80"):
        raise WeightsError(f"{path}: {what_begins(start) or 'not a PyTorch checkpoint'}", "download it again")
