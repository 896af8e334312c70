"""Folders for transformers: their configs against the released settings, and the weights file.

That transformers reads them is tested in parity/test_transformers.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from manifests import load_manifest
from safetensors.torch import load_file
from torch import Tensor

from sapiens.errors import WeightsError
from sapiens.weights.layouts import to_transformers
from sapiens.weights.transformers_folder import preprocessor_config, transformers_config, write_transformers

HW = (1024, 768)
SHUFFLE = {"use_pixel_shuffle": True, "upsample_kernel_sizes": [3] * 4, "conv_kernel_sizes": [3] * 3}
SCALE = {
    "scale_conv_out_channels": [1536, 512, 128],
    "scale_conv_kernel_sizes": [1, 1, 1],
    "scale_final_input_size": 6144,
    "scale_final_hidden_sizes": [512, 128],
}
# The released heads, in the words of transformers.
HEADS = {
    "1b_pose": {
        "use_pixel_shuffle": False,
        "upsample_out_channels": [1536, 1024],
        "upsample_kernel_sizes": [4, 4],
        "conv_out_channels": [768, 512, 256],
        "conv_kernel_sizes": [1, 1, 1],
    },
    "0.8b_seg": {
        "use_pixel_shuffle": False,
        "upsample_out_channels": [512, 256, 128, 64],
        "upsample_kernel_sizes": [4] * 4,
        "conv_out_channels": [64, 64],
        "conv_kernel_sizes": [1, 1],
    },
    "5b_normal": {"upsample_out_channels": [1536, 768, 512, 256], "conv_out_channels": [128, 64, 32], **SHUFFLE},
    "1b_matting": {"upsample_out_channels": [768, 512, 256, 128], "conv_out_channels": [64, 32, 16], **SHUFFLE},
    "5b_pointmap": {
        "upsample_out_channels": [1536] + [768] * 3,
        "conv_out_channels": [128, 64, 32],
        **SHUFFLE,
        **SCALE,
    },
}


def tensors_of(stem: str) -> dict[str, Tensor]:
    return {name: torch.empty(shape, device="meta") for name, (_, shape) in load_manifest(f"sapiens2_{stem}").items()}


@pytest.mark.parametrize(("stem", "head"), HEADS.items(), ids=HEADS)
def test_transformers_config__released_heads(stem: str, head: dict) -> None:
    assert transformers_config(tensors_of(stem), HW)["head_config"] == head


@pytest.mark.parametrize(
    ("size", "width", "layers", "heads", "kv_heads"),
    [
        ("0.1b", 768, 12, 12, 12),
        ("0.4b", 1024, 24, 16, 8),
        ("0.8b", 1280, 32, 16, 8),
        ("1b", 1536, 40, 24, 12),
        ("5b", 2432, 56, 32, 16),
    ],
)
def test_transformers_config__released_backbones(size: str, width: int, layers: int, heads: int, kv_heads: int) -> None:
    config = transformers_config(tensors_of(f"{size}_pretrain"), HW, dtype=torch.bfloat16)
    assert config["architectures"] == ["Sapiens2Model"]
    assert config["dtype"] == "bfloat16"
    assert config["image_size"] == [1024, 768]
    dims = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_attention_heads")
    assert tuple(config[name] for name in dims) == (width, layers, heads, kv_heads)
    assert config["intermediate_size"] == 4 * width
    assert config["num_key_value_heads_per_layer"] == [heads] * 8 + [kv_heads] * (layers - 16) + [heads] * min(
        8, layers - 8
    )
    assert "head_config" not in config


def test_transformers_config__labels() -> None:
    tensors = tensors_of("0.4b_normal")
    assert transformers_config(tensors, HW)["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert transformers_config(tensors, HW, labels=["x", "y", "z"])["label2id"] == {"x": 0, "y": 1, "z": 2}
    with pytest.raises(WeightsError, match="3 outputs, got 1 labels"):
        transformers_config(tensors, HW, labels=["x"])


def drop(name: str) -> dict[str, Tensor]:
    return {key: value for key, value in tensors_of("0.1b_pretrain").items() if key != name}


def other_kernel() -> dict[str, Tensor]:
    return tensors_of("0.4b_seg") | {"decode_head.deconv_layers.0.weight": torch.empty(1024, 512, 3, 3, device="meta")}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (tensors_of("0.4b_albedo"), "no albedo head"),
        (tensors_of("1b_4k_pretrain"), r"no window tokenizer \(4K\)"),
        (drop("cls_token"), "needs cls_token"),
        (other_kernel(), "only with transposed kernels of 4"),
    ],
    ids=["albedo", "4K", "no cls token", "kernel 3"],
)
def test_write_transformers__what_it_cannot_hold_leaves_no_file(tmp_path: Path, tensors: dict, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        write_transformers(tmp_path / "out", tensors, input_hw=HW)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("task", "padded"), [(None, False), ("seg", False), ("normal", True), ("pointmap", True)])
def test_preprocessor_config__padding(task: str | None, padded: bool) -> None:
    config = preprocessor_config(task, HW)
    assert config["do_pad"] is padded
    assert config["size"] == {"height": 1024, "width": 768}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_write_transformers__files(tmp_path: Path, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    small = {
        "cls_token": (1, 1, 8),
        "storage_tokens": (1, 2, 8),
        "patch_embed.projection.weight": (8, 3, 4, 4),
        "rope_embed.periods": (1,),
        "blocks.0.attn.wq.weight": (8, 8),
        "blocks.0.attn.wk.weight": (4, 8),
        "blocks.0.attn.q_norm.weight": (4,),
        "blocks.0.attn.gamma.weight": (8,),
        "blocks.0.ffn.w12.weight": (10, 8),
        "blocks.0.ffn.w3.weight": (8, 5),
        "ln1.weight": (8,),
    }
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in small.items()}
    write_transformers(tmp_path, tensors, input_hw=(8, 8), dtype=dtype)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    written = load_file(tmp_path / "model.safetensors")
    expected = dict(to_transformers(tensors))
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[name], expected[name].to(dtype)) for name in written)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["dtype"] == str(dtype).removeprefix("torch.")
    assert (config["num_attention_heads"], config["num_key_value_heads_per_layer"]) == (2, [1])
    assert config["query_bias"] is False
