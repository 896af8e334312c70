"""Reading tensors from files of both kinds, and refusing everything else."""

from __future__ import annotations

import argparse
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from sapiens.errors import WeightsError
from sapiens.weights.checkpoint import open_checkpoint
from sapiens.weights.header import make_header

STATE = {
    "odd": torch.arange(3, dtype=torch.bfloat16),
    "matrix": torch.arange(3000.0).reshape(50, 60),
    "scalar": torch.tensor(5, dtype=torch.int64),
    "empty": torch.zeros(0, 4),
}


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def files(tmp_path):
    def write(name, content=STATE, **settings):
        path = tmp_path / name
        if name.endswith(".safetensors"):
            save_file(content, path)
        else:
            torch.save(content, path, **settings)
        return path

    return write


@pytest.mark.parametrize("stays", [True, False], ids=["stays", "passes"])
@pytest.mark.parametrize(
    ("name", "content", "settings"),
    [
        pytest.param("a.safetensors", STATE, {}, id="safetensors"),
        pytest.param("a.pth", STATE, {}, id="pth"),
        pytest.param("a.bin", {"state_dict": STATE, "epoch": 3}, {}, id="below state_dict"),
        pytest.param("a.pt", {"model": STATE, "optimizer": {}}, {}, id="below model"),
        pytest.param("a.pth", {"state_dict": STATE, "model": {}}, {}, id="state_dict goes first"),
        pytest.param("a.pth", STATE, {"_use_new_zipfile_serialization": False}, id="pth of the old kind"),
    ],
)
def test_open_checkpoint__gives_the_tensors(files, name, content, settings, stays):
    checkpoint = open_checkpoint(files(name, content, **settings))
    assert set(checkpoint) == set(STATE)
    for key, tensor in STATE.items():
        torch.testing.assert_close(checkpoint.read(key, stays=stays), tensor, rtol=0, atol=0)
        assert (checkpoint.meta[key].shape, checkpoint.meta[key].dtype) == (tensor.shape, tensor.dtype)
        assert checkpoint.meta[key].is_meta


def test_open_checkpoint__packed_without_alignment(tmp_path):
    path = tmp_path / "packed.safetensors"
    path.write_bytes(
        make_header(STATE) + b"".join(t.reshape(-1).view(torch.uint8).numpy().tobytes() for t in STATE.values())
    )
    checkpoint = open_checkpoint(path)
    for stays in (True, False):
        matrix = checkpoint.read("matrix", stays=stays)
        torch.testing.assert_close(matrix, STATE["matrix"], rtol=0, atol=0)
        assert matrix.data_ptr() % 4 == 0


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_read__writing_to_a_tensor_leaves_the_file(files, name):
    path = files(name)
    before = path.read_bytes()
    open_checkpoint(path).read("matrix", stays=True).fill_(7)
    assert path.read_bytes() == before


def test_digest__same_in_every_container_and_changed_by_any_tensor(files):
    digest = open_checkpoint(files("a.safetensors")).digest()
    assert len(digest) == 16
    assert open_checkpoint(files("a.pth")).digest() == digest
    assert open_checkpoint(files("b.pth", {"model": STATE})).digest() == digest
    for name in ("odd", "matrix", "scalar"):
        changed = {key: tensor + 1 if key == name else tensor for key, tensor in STATE.items()}
        assert open_checkpoint(files("c.safetensors", changed)).digest() != digest


@pytest.mark.parametrize("wrapper", [None, "state_dict"], ids=["bare", "wrapped"])
@pytest.mark.parametrize("old", [False, True], ids=["zip", "old kind"])
def test_open_checkpoint__code_in_a_pickle_is_refused_and_not_run(files, tmp_path, wrapper, old):
    trap = tmp_path / "trap"
    content = {**STATE, "trap": Touch(trap)}
    path = files("evil.pth", {wrapper: content} if wrapper else content, _use_new_zipfile_serialization=not old)
    with pytest.raises(WeightsError, match=r"evil\.pth: refused: besides tensors it holds \w+\.mkdir") as info:
        open_checkpoint(path)
    assert not trap.exists()
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_open_checkpoint__plain_pickle_is_refused_and_not_run(tmp_path, protocol):
    trap, path = tmp_path / "trap", tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"a": Touch(trap)}, protocol=protocol))
    with pytest.raises(WeightsError, match="refused"):
        open_checkpoint(path)
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_open_checkpoint__torchscript_is_refused(tmp_path):
    path = tmp_path / "program.pth"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)
    with pytest.raises(WeightsError, match="refused: a TorchScript program"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(argparse.Namespace(x=1), r"refused: besides tensors it holds argparse\.Namespace", id="object"),
        pytest.param(torch.zeros(3), "holds a Tensor, expected a state dict", id="one tensor"),
        pytest.param({"epoch": 3, "a": torch.zeros(1)}, "not a state dict: epoch of 2 entries", id="a number"),
        pytest.param({}, "holds no tensors", id="nothing"),
    ],
)
def test_open_checkpoint__pth_with_something_else(files, content, message):
    with pytest.raises(WeightsError, match=message):
        open_checkpoint(files("a.pth", content))


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old kind"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_open_checkpoint__pth_cut_short(files, old, part):
    path = files("a.pth", _use_new_zipfile_serialization=not old)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(WeightsError, match=r"cut short|damaged"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.pth", b"", "the file is empty", id="empty"),
        pytest.param("a.pth", b"<html>login</html>", "a web page, not weights", id="web page"),
        pytest.param("a.pth", b"hello world", "not a PyTorch checkpoint", id="text"),
        pytest.param("a.onnx", b"hello world", "not a kind of checkpoint known here", id="other suffix"),
        pytest.param("a.safetensors", None, "no such file", id="missing"),
    ],
)
def test_open_checkpoint__not_a_checkpoint(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        open_checkpoint(tmp_path / name)
