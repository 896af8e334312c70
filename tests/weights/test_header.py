"""Damaged safetensors files are told apart before anything is mapped."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from sapiens.errors import WeightsError
from sapiens.weights.header import make_header, read_header

GOOD = save({"b": torch.arange(6.0).reshape(2, 3), "a": torch.zeros(3, dtype=torch.bfloat16)}, {"note": "x"})
LENGTH = int.from_bytes(GOOD[:8], "little")


def with_header(table: object, data: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data


def one(dtype: str = "F32", shape: tuple[int, ...] = (2,), offsets: tuple[int, int] = (0, 8)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_read_header__as_written_by_the_library(tmp_path):
    path = tmp_path / "good.safetensors"
    path.write_bytes(GOOD)
    entries = read_header(path)
    assert {name: (e.dtype, e.shape) for name, e in entries.items()} == {
        "b": (torch.float32, (2, 3)),
        "a": (torch.bfloat16, (3,)),
    }
    assert GOOD[entries["b"].start : entries["b"].end] == torch.arange(6.0).numpy().tobytes()


def test_make_header__is_read_by_the_library(tmp_path):
    path = tmp_path / "made.safetensors"
    tensors = {"z": torch.arange(4.0), "a": torch.arange(3).to(torch.bfloat16)}
    path.write_bytes(make_header(tensors) + b"".join(t.view(torch.uint8).numpy().tobytes() for t in tensors.values()))
    assert list(read_header(path)) == ["z", "a"]
    for name, tensor in load_file(path).items():
        torch.testing.assert_close(tensor, tensors[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(GOOD[:5], "cut short", id="five bytes"),
        pytest.param(GOOD[: 8 + LENGTH // 2], "cut short inside its header", id="header cut"),
        pytest.param(GOOD[:-1], rf"cut short: {len(GOOD) - 1} bytes of {len(GOOD)}", id="last byte missing"),
        pytest.param(GOOD[: 8 + LENGTH], "cut short", id="no data"),
        pytest.param(GOOD + b"tail", "4 bytes too long", id="something appended"),
        pytest.param(b"\xff" * 64, "not a safetensors file", id="garbage length"),
        pytest.param(b"\x00" * 64, "not a safetensors file", id="zeros"),
        pytest.param(b"<!DOCTYPE html><html>Not found</html>", "a web page", id="web page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer", id="git lfs"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 60, "a PyTorch file", id="zip"),
        pytest.param(with_header(b"{not json}"), "damaged header", id="no json"),
        pytest.param(with_header([1, 2]), "damaged header", id="a list"),
        pytest.param(with_header({"a": 3}), "damaged header", id="a number"),
        pytest.param(with_header({"a": {"dtype": "F32"}}), "damaged header", id="no shape"),
        pytest.param(with_header(one("F13"), b"12345678"), "unknown dtype 'F13'", id="unknown dtype"),
        pytest.param(with_header(one(shape=(3,)), b"12345678"), r"shape \(3,\) in 8 bytes", id="wrong shape"),
        pytest.param(with_header(one(shape=(-2, -1)), b"12345678"), "damaged header", id="negative shape"),
        pytest.param(with_header(one(offsets=(8, 16)), b"1" * 16), "a begins at byte", id="gap"),
        pytest.param(with_header(b'{"a": 1, "a": 2}'), "a name occurs twice", id="double name"),
    ],
)
def test_read_header__damaged_file(tmp_path, content, message):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as info:
        read_header(path)
    assert info.value.message.startswith(f"{path}: ")
    assert "\n" not in str(info.value)


def test_read_header__empty_tensor(tmp_path):
    path = tmp_path / "empty.safetensors"
    save_file({"a": torch.zeros(0, 3), "b": torch.zeros(2)}, path)
    assert read_header(path)["a"].shape == (0, 3)
