"""Live comparison with Hugging Face transformers: outputs of small networks, and weights in both layouts, both ways.

transformers rotates positions in float32, so ours is built with `pos_embed_rope_dtype="fp32"`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from golden_models import fill_, seeded
from safetensors.torch import load_file
from torch import Tensor, nn

from sapiens.backbones.sizes import build_backbone, get_size
from sapiens.backbones.standalone.sapiens2 import Sapiens2
from sapiens.errors import WeightsError
from sapiens.tasks.base import TaskModel
from sapiens.weights.layouts import (
    ARCHITECTURES,
    detect_layout,
    may_be_absent,
    task_of_architecture,
    task_of_keys,
    to_original,
    to_transformers,
)
from sapiens.weights.transformers_folder import write_transformers

TOLERANCE = 1e-4
INPUT_HW = (160, 96)
# 20 layers: 8..11 have grouped queries. The feed-forward width is not four times the width, on purpose.
ARCH = {"embed_dims": 48, "num_layers": 20, "num_heads": 4, "feedforward_channels": 80, "num_tokenizer_layers": 1}
# Depths are those of the released heads: the table in transformers knows no others in the original layout.
DECONV = {"deconv_kernel_sizes": (4, 4), "conv_out_channels": (10, 8, 6), "conv_kernel_sizes": (1, 1, 1)}
SHUFFLE = {"upsample_channels": (16, 12, 10, 8), "conv_out_channels": (8, 6, 4), "conv_kernel_sizes": (3, 3, 3)}
SCALE = {
    "scale_conv_out_channels": (20, 12, 8),
    "scale_conv_kernel_sizes": (1, 1, 1),
    "scale_final_layer": (16, 10, 6, 1),  # 10x6 patches leave 2x1 pixels of 8 channels
}
HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "pose": ("PoseHeatmapHead", {"out_channels": 7, "deconv_out_channels": (16, 12), **DECONV}),
    "seg": (
        "SegHead",
        {
            "num_classes": 5,
            "deconv_out_channels": (16, 12, 10, 8),
            "deconv_kernel_sizes": (4, 4, 4, 4),
            "conv_out_channels": (8, 6),
            "conv_kernel_sizes": (1, 1),
        },
    ),
    "normal": ("NormalHead", SHUFFLE),
    "pointmap": ("PointmapHead", {**SHUFFLE, **SCALE}),
    "matting": ("MattingHead", {"out_channels": 4, **SHUFFLE}),
}
MODELS = pytest.mark.parametrize("task", [pytest.param(None, id="backbone"), *HEADS])


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(Sapiens2.arch_zoo, "parity", ARCH)
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


def ours(task: str | None, *, rope: str = "fp32", fill: bool = True) -> nn.Module:
    """The backbone, or a task model, with recorded weights (LayerScale about 0.5: every branch matters)."""
    out_type = "raw" if task is None else "featmap"
    model: nn.Module = Sapiens2("parity", INPUT_HW, out_type=out_type, pos_embed_rope_dtype=rope)
    if task is not None:
        name, kwargs = HEADS[task]
        head = getattr(importlib.import_module(f"sapiens.tasks.{task}.head"), name)
        model = TaskModel(model, head(in_channels=ARCH["embed_dims"], **kwargs))
    if fill:
        fill_(model.state_dict())
    return model.eval()


@torch.no_grad()
def run(model: nn.Module, image: Tensor) -> list[Tensor]:
    """Outputs of one of ours."""
    out = model(image)
    return list(out) if isinstance(out, tuple) else [out]


@torch.no_grad()
def run_oracle(model: nn.Module, image: Tensor) -> list[Tensor]:
    """Outputs of transformers, as ours gives them."""
    out = model(image)
    if "alphas" in out:
        return [torch.cat([out.foregrounds, out.alphas], dim=1)]
    if "pointmaps" in out:
        return [out.pointmaps, out.scales]
    names = ("last_hidden_state", "heatmaps", "logits", "normals")
    return [out[name] for name in names if name in out]


def difference(got: list[Tensor], expected: list[Tensor]) -> float:
    assert [tuple(t.shape) for t in got] == [tuple(t.shape) for t in expected]
    return max((a - b).abs().max().item() for a, b in zip(got, expected, strict=True))


def read_by_transformers(folder: Path) -> nn.Module:
    """Load a folder and insist that every tensor had its place."""
    (name,) = json.loads((folder / "config.json").read_text())["architectures"]
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert {key: value for key, value in info.items() if value} == {}
    return model.eval()


def read_by_us(folder: Path, model: nn.Module) -> nn.Module:
    """Load a folder that transformers wrote into one of ours."""
    tensors = load_file(folder / "model.safetensors")
    (name,) = json.loads((folder / "config.json").read_text())["architectures"]
    if detect_layout(tensors) == "transformers":
        tensors = dict(to_original(tensors, task_of_architecture(name)))
    assert task_of_keys(tensors) == task_of_architecture(name)
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert unexpected == []
    assert [key for key in missing if not may_be_absent(key)] == []
    return model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, Path]:
    """Folders of ours, one per model, all in the names of transformers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Sapiens2.arch_zoo, "parity", ARCH)
        root = tmp_path_factory.mktemp("written")
        return {
            task: write_transformers(root / str(task), ours(task).state_dict(), input_hw=INPUT_HW)
            for task in (None, *HEADS)
        }


@MODELS
def test_folder_written_by_us__gives_the_same_outputs_in_transformers(
    task: str | None, written: dict[str | None, Path]
) -> None:
    image = seeded("parity", (2, 3, *INPUT_HW))
    oracle = read_by_transformers(written[task])
    assert type(oracle).__name__ == ARCHITECTURES[task]
    assert difference(run(ours(task), image), run_oracle(oracle, image)) < TOLERANCE


@pytest.mark.parametrize("size_hw", [(48, 80), (100, 70)], ids=["wide", "incomplete patches"])
def test_backbone__other_picture_sizes(size_hw: tuple[int, int], written: dict[str | None, Path]) -> None:
    image = seeded("parity", (1, 3, *size_hw))
    oracle = read_by_transformers(written[None])
    assert difference(run(ours(None), image), run_oracle(oracle, image)) < TOLERANCE


def test_backbone__default_rope_differs_as_documented(written: dict[str | None, Path]) -> None:
    """bfloat16 positions, the original's default, are what moves the numbers."""
    image = seeded("parity", (1, 3, *INPUT_HW))
    oracle = read_by_transformers(written[None])
    assert 1e-3 < difference(run(ours(None, rope="bf16"), image), run_oracle(oracle, image)) < 0.2


@pytest.mark.parametrize("original", [True, False], ids=["original names", "own names"])
@MODELS
def test_folder_written_by_transformers__gives_the_same_outputs_in_ours(
    task: str | None, original: bool, written: dict[str | None, Path], tmp_path: Path
) -> None:
    loaded = read_by_transformers(written[task])
    oracle = type(loaded)(loaded.config).eval()  # a loaded model would be saved in the layout it came in
    torch.manual_seed(0)
    noisy = {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in loaded.state_dict().items()}
    oracle.load_state_dict(noisy)
    oracle.save_pretrained(tmp_path, save_original_format=original)
    layout = "original" if original else "transformers"
    assert detect_layout(load_file(tmp_path / "model.safetensors")) == layout
    image = seeded("parity", (1, 3, *INPUT_HW))
    model = read_by_us(tmp_path, ours(task, fill=False))
    assert difference(run(model, image), run_oracle(oracle, image)) < TOLERANCE


@MODELS
def test_names__are_exactly_those_transformers_writes(
    task: str | None, written: dict[str | None, Path], tmp_path: Path
) -> None:
    read_by_transformers(written[task]).save_pretrained(tmp_path, save_original_format=False)
    theirs = load_file(tmp_path / "model.safetensors")
    assert {n: t.shape for n, t in theirs.items()} == {n: t.shape for n, t in to_transformers(ours(task).state_dict())}


@pytest.mark.parametrize("task", ["seg", "normal", "matting"])
def test_nano__heads_that_see_the_picture_are_refused(task: str, tmp_path: Path) -> None:
    size = get_size("nano")
    head = importlib.import_module(f"sapiens.tasks.{task}.head").build_head("nano", size.embed_dims)
    model = TaskModel(build_backbone("nano", out_type="featmap"), head)
    with pytest.raises(WeightsError, match="see the picture"):
        write_transformers(tmp_path, model.state_dict(), input_hw=size.input_hw)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", ["pose", "pointmap"])
def test_nano__folder_runs_in_transformers(task: str, tmp_path: Path) -> None:
    """Heads of other depths than the released ones go through transformers' own names."""
    size = get_size("nano")
    head = importlib.import_module(f"sapiens.tasks.{task}.head").build_head("nano", size.embed_dims)
    model = TaskModel(build_backbone("nano", out_type="featmap", pos_embed_rope_dtype="fp32"), head).eval()
    fill_(model.state_dict())
    oracle = read_by_transformers(write_transformers(tmp_path, model.state_dict(), input_hw=size.input_hw))
    image = seeded("parity", (1, 3, *size.input_hw))
    assert difference(run(model, image), run_oracle(oracle, image)) < TOLERANCE
