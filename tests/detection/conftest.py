"""A DETR with the deterministic weights of the golden vectors, as a file, and offline look-ups."""

from __future__ import annotations

import json
import math
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import sapiens

GOLDEN = Path(__file__).parents[1] / "golden"


def normal(name, shape):
    """float64 standard normal array that depends on `name` and `shape` only (the rule of golden/models/fill.py)."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(size=tuple(shape))


def weight(name, shape):
    """A tensor by the rule in golden/detr/README.md."""
    z = normal(name, shape)
    if name.endswith(("running_mean", "bias")):
        value = 0.1 * z
    elif name.endswith("running_var"):
        value = np.exp(0.2 * z)
    elif name.endswith("bn3.weight"):
        value = 0.3 + 0.03 * z
    elif name.endswith("query_position_embeddings.weight"):
        value = z
    elif len(shape) <= 1:
        value = 1 + 0.1 * z
    else:
        value = z / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value, np.float32))


@pytest.fixture(scope="session")
def golden():
    def load(name):
        with np.load(GOLDEN / name) as archive:
            return {key: archive[key] for key in archive.files}

    return load


@pytest.fixture(scope="session")
def seeded():
    """Inputs of the golden vectors, by name."""
    return lambda name, shape: torch.from_numpy(normal("input:" + name, shape).astype(np.float32))


@pytest.fixture(scope="session")
def tensor_table():
    return json.loads((GOLDEN / "detr/tensors.json").read_text())


@pytest.fixture(scope="session")
def detr_weights(tensor_table):
    return {name: weight(name, shape) for name, (_, shape) in tensor_table.items()}


@pytest.fixture(scope="session")
def detr_folder(detr_weights):
    with tempfile.TemporaryDirectory() as folder:  # 240 MB that pytest would keep
        save_file(detr_weights, Path(folder) / "model.safetensors")
        yield Path(folder)


@pytest.fixture(scope="session")
def astronaut():
    with Image.open(Path(sapiens.__file__).parent / "assets/astronaut.png") as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory):
    """Folders with a D-FINE and an RT-DETRv2 of a few thousand random weights; class 1 is "person"."""
    transformers = pytest.importorskip("transformers")
    labels = {"id2label": {0: "cat", 1: "person"}, "label2id": {"cat": 0, "person": 1}}
    small = {
        "encoder_in_channels": [16, 24, 32],
        "encoder_hidden_dim": 32,
        "encoder_ffn_dim": 32,
        "encoder_attention_heads": 2,
        "d_model": 32,
        "decoder_in_channels": [32, 32, 32],
        "decoder_ffn_dim": 32,
        "decoder_layers": 2,
        "decoder_attention_heads": 2,
        "num_queries": 20,
        "hidden_expansion": 0.5,
    } | labels
    stages = {"hidden_sizes": [8, 16, 24, 32], "out_features": ["stage2", "stage3", "stage4"]}
    hgnet = transformers.HGNetV2Config(
        stem_channels=[3, 8, 8],
        stage_in_channels=[8, 8, 16, 24],
        stage_mid_channels=[8, 8, 8, 8],
        stage_out_channels=[8, 16, 24, 32],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        **stages,
    )
    resnet = transformers.RTDetrResNetConfig(depths=[1, 1, 1, 1], embedding_size=8, layer_type="basic", **stages)
    torch.manual_seed(0)
    networks = {
        "d_fine": transformers.DFineForObjectDetection(
            transformers.DFineConfig(backbone_config=hgnet, depth_mult=0.34, head_dim=16, lqe_hidden_dim=8, **small)
        ),
        "rt_detr_v2": transformers.RTDetrV2ForObjectDetection(
            transformers.RTDetrV2Config(backbone_config=resnet, **small)
        ),
    }
    folders = {}
    for kind, network in networks.items():
        folders[kind] = tmp_path_factory.mktemp(kind)
        network.save_pretrained(folders[kind])
        transformers.RTDetrImageProcessorPil(size={"height": 64, "width": 96}).save_pretrained(folders[kind])
    return folders


@pytest.fixture
def checkpoint_root(tmp_path, monkeypatch):
    """An empty checkpoint root and Hub cache, and no network."""
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return tmp_path / "root"
