"""The standalone files: nothing but torch, wherever they lie; and the Quick Start users know, as it is written."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from manifests import load_manifest
from safetensors.torch import save_file

from sapiens.backbones.standalone import sapiens, sapiens2
from sapiens.backbones.standalone.sapiens2 import RotaryEmbedding, Sapiens2

FILES = [pytest.param(Path(module.__file__), id=module.__name__.rpartition(".")[2]) for module in (sapiens, sapiens2)]

# The text of the public README, of which only what the machine has not is replaced.
QUICK_START = """
import os
import torch
from safetensors.torch import load_file
from sapiens.backbones.standalone.sapiens2 import Sapiens2
# Build the model and load a pretrained checkpoint
model = Sapiens2(arch="sapiens2_1b", img_size=(1024, 768), patch_size=16).eval().cuda() # img_size is (H, W)
ckpt = os.path.expanduser("~/sapiens2_host/pretrain/sapiens2_1b_pretrain.safetensors")
model.load_state_dict(load_file(ckpt))
# Forward pass on a single image (RGB; ImageNet normalization recommended)
x = torch.randn(1, 3, 1024, 768).cuda()
with torch.no_grad():
    features = model(x)[0] # dense backbone features
"""

# Everything torch needs is imported first; from then on only torch, safetensors and the standard library may be.
ONLY_TORCH = """
import sys
import torch, torch.utils.checkpoint, safetensors.torch

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {"torch", "safetensors", "sapiens2_copy", *sys.stdlib_module_names}:
            raise ImportError(f"{name} is not torch")

assert "sapiens" not in sys.modules
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
"""

USE_COPY = """
import sapiens2_copy
model = sapiens2_copy.Sapiens2("sapiens2_nano", img_size=64).eval()
model.load_state_dict(safetensors.torch.load_file(sys.argv[2]))
with torch.no_grad():
    print(*model(torch.ones(1, 3, 64, 48))[0].shape)
"""


def write_pretrain(path: Path, manifest: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    """A safetensors file of random weights, one tensor in memory at a time."""
    dtypes = {"F32": torch.float32, "BF16": torch.bfloat16}
    header, offset = {}, 0
    for name, (dtype, shape) in manifest.items():
        end = offset + dtypes[dtype].itemsize * torch.Size(shape).numel()
        header[name], offset = {"dtype": dtype, "shape": shape, "data_offsets": (offset, end)}, end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, (dtype, shape) in manifest.items():
            value = RotaryEmbedding(4 * shape[0]).periods if name.endswith("periods") else 0.02 * torch.randn(shape)
            file.write(value.to(dtypes[dtype]).view(torch.uint8).numpy().tobytes())


def run_quick_start(replacements: dict[str, str]) -> dict:
    """Run it on the CPU; the variables it leaves."""
    code = QUICK_START
    for old, new in ({".cuda()": ""} | replacements).items():
        assert old in code
        code = code.replace(old, new)
    left: dict = {}
    exec(code, left)
    return left


@pytest.mark.parametrize("path", FILES)
def test_imports__torch_and_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= {"torch", *sys.stdlib_module_names}


def test_copy__works_with_torch_alone(tmp_path: Path) -> None:
    (tmp_path / "sapiens2_copy.py").write_text(Path(sapiens2.__file__).read_text())
    weights = tmp_path / "nano.safetensors"
    save_file(Sapiens2("sapiens2_nano").state_dict(), weights)
    command = [sys.executable, "-I", "-W", "error", "-c", ONLY_TORCH + USE_COPY, str(tmp_path), str(weights)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["1", "21", "128"]), done.stderr


def test_quick_start__small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    dims = {"embed_dims": 48, "num_layers": 20, "num_heads": 4, "feedforward_channels": 64, "num_tokenizer_layers": 1}
    monkeypatch.setitem(Sapiens2.arch_zoo, "sapiens2_tiny", dims)
    path = tmp_path / "sapiens2_host/pretrain/sapiens2_tiny_pretrain.safetensors"
    path.parent.mkdir(parents=True)
    save_file(Sapiens2("sapiens2_tiny").state_dict(), path)
    left = run_quick_start({"sapiens2_1b": "sapiens2_tiny", "(1, 3, 1024, 768)": "(1, 3, 128, 96)"})
    assert left["features"].shape == (1, 9 + 8 * 6, 48)


@pytest.mark.slow
def test_quick_start__full_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs 6 GB of disk and 14 GB of memory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "sapiens2_host/pretrain/sapiens2_1b_pretrain.safetensors"
    write_pretrain(path, load_manifest("sapiens2_1b_pretrain"))
    try:
        left = run_quick_start({})
    finally:
        path.unlink()
    assert left["features"].shape == (1, 9 + 64 * 48, 1536)
    assert torch.isfinite(left["features"]).all()
