"""The header of a safetensors file, checked against the file before anything is read from it.

Layout (https://github.com/huggingface/safetensors): 8 bytes, little endian: length n of the header; n bytes of JSON,
name -> {"dtype", "shape", "data_offsets"}; then the data of the tensors, without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sapiens.errors import WeightsError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library itself."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies.

    Attributes:
        dtype, shape: of the tensor.
        start, end: its bytes, counted from the beginning of the file.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def read_header(path: Path, name: str | None = None) -> dict[str, Entry]:
    """Tensors of a safetensors file, in the order of their data.

    Args:
        path: the file.
        name: what errors call it; default its path.

    Raises:
        WeightsError: not such a file, or one that is cut short or damaged; says which.
    """
    name = name or str(path)
    size = path.stat().st_size
    if size == 0:
        raise WeightsError(f"{name}: the file is empty", "download it again")
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if size < 8 + length or not 2 <= length <= MAX_HEADER_BYTES:
            raise WeightsError(f"{name}: {_no_header(start + file.read(64), length, size)}", "download it again")
        text = file.read(length)
    try:
        table = json.loads(text, object_pairs_hook=_unique)
        entries = {key: _entry(value, 8 + length) for key, value in table.items() if key != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{name}: damaged header, not a safetensors file ({error})", "download it again") from error
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)))
    _check_offsets(name, ordered, 8 + length, size)
    return ordered


def make_header(tensors: Mapping[str, Tensor]) -> bytes:
    """The beginning of a safetensors file with these tensors in this order; only dtypes and shapes are looked at."""
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.dtype.itemsize
        table[name] = {"dtype": _CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(table, separators=(",", ":")).encode()
    # The data begins at a multiple of 8 bytes, so that float32 may be used where it lies.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


_AGAIN = "the download or copy was interrupted: get the file again"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _entry(value: dict[str, Any], base: int) -> Entry:
    if value["dtype"] not in DTYPES:
        raise ValueError(f"unknown dtype {value['dtype']!r}")
    start, end = value["data_offsets"]
    entry = Entry(DTYPES[value["dtype"]], tuple(int(n) for n in value["shape"]), base + start, base + end)
    if any(n < 0 for n in entry.shape) or math.prod(entry.shape) * entry.dtype.itemsize != end - start:
        raise ValueError(f"shape {entry.shape} in {end - start} bytes")
    return entry


def _check_offsets(file: str, ordered: dict[str, Entry], base: int, size: int) -> None:
    at = base
    for name, entry in ordered.items():
        if entry.start != at:
            raise WeightsError(f"{file}: damaged header: {name} begins at byte {entry.start}, expected {at}", _AGAIN)
        at = entry.end
    if at > size:
        raise WeightsError(f"{file}: cut short: {size} bytes of {at}", _AGAIN)
    if at < size:
        raise WeightsError(f"{file}: {size - at} bytes too long: expected {at}", _AGAIN)


def _no_header(start: bytes, length: int, size: int) -> str:
    if kind := what_begins(start):
        return kind
    if 2 <= length <= MAX_HEADER_BYTES:
        return f"cut short inside its header: {size} bytes of at least {8 + length}"
    return "not a safetensors file (no length of a header at its start)"


def what_begins(start: bytes) -> str | None:
    """What a file that begins like this is, where it is one of the usual accidents."""
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not weights"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the weights themselves"
    if start.startswith((b"PK\x03\x04", b"\x80\x02")):
        return "a PyTorch file under the name of a safetensors file; call it .pth"
    return None
