"""Filling models from files: every number arrives, and nothing fits by accident."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import pytest
import torch
from helpers_weights import meta_model, random_state, write_hollow
from safetensors.torch import save_file

from sapiens.errors import WeightsError
from sapiens.weights import identify, load_model
from sapiens.weights.layouts import ARCHITECTURES, to_transformers

EXACT = {"rtol": 0, "atol": 0}


def save(path: Path, state) -> Path:
    state = {name: tensor.contiguous() for name, tensor in state.items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def load(path: Path, task: str = "pose", size: str = "nano", **settings):
    model = meta_model(task, size)
    return model, load_model(model, path, task=task, size=size, **settings)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture
def state():
    return random_state()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("copy", [False, True], ids=["mapped", "copied"])
def test_load_model__every_tensor_arrives(tmp_path, state, suffix, copy):
    path = save(tmp_path / f"a{suffix}", state)
    model, info = load(path, copy=copy)
    assert (info.path, info.layout, info.bytes) == (path, "original", path.stat().st_size)
    loaded = model.state_dict()
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(loaded[name], tensor, **EXACT)
    assert all(p.requires_grad for p in model.parameters())


def test_load_model__gives_what_load_state_dict_gives(tmp_path, state):
    model, _ = load(save(tmp_path / "a.safetensors", state))
    with torch.device("cpu"):
        other = type(model)(*_parts("pose"))
    other.load_state_dict(state)
    image = torch.randn(1, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(model(image), other(image), **EXACT)


def _parts(task: str):
    from sapiens.backbones.sizes import build_backbone
    from sapiens.tasks.pose.head import build_head

    return build_backbone("nano", out_type="featmap"), build_head("nano", 128)


@pytest.mark.skipif(os.name == "nt", reason="a mapped file cannot be deleted there")
def test_load_model__file_may_be_deleted_or_replaced_afterwards(tmp_path, state):
    path = save(tmp_path / "a.safetensors", state)
    model, _ = load(path)
    other = save(tmp_path / "b.safetensors", random_state(seed=1))
    other.replace(path)
    path.unlink()
    for name, tensor in state.items():
        torch.testing.assert_close(model.state_dict()[name], tensor, **EXACT)


def test_load_model__training_changes_memory_and_not_the_file(tmp_path, state):
    path = save(tmp_path / "a.safetensors", state)
    before = path.read_bytes()
    model, _ = load(path)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    model.backbone.cls_token.square().sum().backward()
    optimiser.step()
    torch.testing.assert_close(model.backbone.cls_token.data, -state["backbone.cls_token"])
    assert path.read_bytes() == before


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16], ids=["F32", "BF16"])
@pytest.mark.parametrize(
    ("dtype", "periods"),
    [
        pytest.param(torch.float32, torch.bfloat16, id="float32 keeps bfloat16 periods"),
        pytest.param(torch.bfloat16, torch.bfloat16, id="bfloat16"),
        pytest.param(torch.float16, torch.float16, id="float16"),
    ],
)
def test_load_model__dtypes(tmp_path, state, stored, dtype, periods):
    name = "backbone.rope_embed.periods"
    path = save(tmp_path / "a.safetensors", {**state, name: state[name].to(stored)})
    model, _ = load(path, dtype=dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert model.backbone.rope_embed.periods.dtype == periods
    for key, tensor in state.items():
        goal = periods if key == name else dtype
        torch.testing.assert_close(model.state_dict()[key], tensor.to(goal), **EXACT)


def test_load_model__half_precision_file_into_float32(tmp_path, state):
    half = {name: tensor.to(torch.bfloat16) for name, tensor in state.items()}
    model, _ = load(save(tmp_path / "a.safetensors", half))
    torch.testing.assert_close(model.backbone.cls_token.data, half["backbone.cls_token"].float(), **EXACT)


@pytest.mark.parametrize("config", [True, False], ids=["with config.json", "without"])
@pytest.mark.parametrize("task", ["pose", "seg", "pretrain"])
def test_load_model__transformers_layout(tmp_path, task, config):
    state = random_state(task)
    path = save(tmp_path / "model.safetensors", dict(to_transformers(state)))
    if config:
        architecture = ARCHITECTURES[None if task == "pretrain" else task]
        (tmp_path / "config.json").write_text(f'{{"architectures": ["{architecture}"]}}')
    model, info = load(path, task)
    assert info.layout == "transformers"
    for name, tensor in state.items():
        torch.testing.assert_close(model.state_dict()[name], tensor, **EXACT)


def test_load_model__periods_that_are_not_in_the_file_are_computed(tmp_path, state):
    periods = state.pop("backbone.rope_embed.periods")
    model, _ = load(save(tmp_path / "a.safetensors", state))
    torch.testing.assert_close(model.backbone.rope_embed.periods, periods, **EXACT)
    model, _ = load(tmp_path / "a.safetensors", dtype=torch.float16)
    torch.testing.assert_close(model.backbone.rope_embed.periods, periods.half(), **EXACT)


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        pytest.param(
            ("seg", "1b"), ("pose", "0.4b"), "this is seg at 1b; expected pose at 0.4b: .* missing", id="task and size"
        ),
        pytest.param(
            ("seg", "0.4b"),
            ("pose", "0.4b"),
            r"this is seg at 0.4b; expected pose at 0.4b: \d+ missing \(decode_head.conv_layers.6.weight, .*"
            r"unexpected \(.*of another shape",
            id="task",
        ),
        pytest.param(
            ("pose", "0.8b"),
            ("pose", "0.4b"),
            r"this is pose at 0.8b; expected pose at 0.4b: \d+ unexpected \(.*; \d+ of another shape "
            r"\(backbone.cls_token \(1, 1, 1280\) for \(1, 1, 1024\)",
            id="size",
        ),
        pytest.param(
            ("pretrain", "1b-4k"),
            ("pretrain", "1b"),
            "this is pretrain .* at 1b-4k with the window tokenizer of the 4K model; expected pretrain at 1b: "
            r"58 unexpected \(tokenizer.w_cls",
            id="4K into the plain backbone",
        ),
        pytest.param(
            ("pretrain", "1b"),
            ("pretrain", "1b-4k"),
            "this is pretrain .* at 1b; expected pretrain at 1b-4k: 58 missing",
            id="plain into the 4K backbone",
        ),
        pytest.param(
            ("pretrain", "0.4b"),
            ("normal", "0.4b"),
            r"this is pretrain \(a backbone without a head\) at 0.4b; expected normal at 0.4b",
            id="backbone as task",
        ),
        pytest.param(
            ("normal", "1b"), ("albedo", "1b"), "this is normal at 1b; expected albedo at 1b", id="near twins"
        ),
    ],
)
def test_load_model__wrong_file_says_what_it_is(tmp_path, found, wanted, message):
    path = write_hollow(tmp_path / "a.safetensors", *found)
    with pytest.raises(WeightsError, match=message) as info:
        load(path, *wanted)
    assert info.value.message.startswith(f"{path}: ")
    assert f"task {found[0]}, size {found[1]}" in info.value.hint
    assert len(info.value.message) < 700
    assert "\n" not in str(info.value)


def test_load_model__own_head_of_another_depth(tmp_path, state):
    del state["decode_head.conv_pose.bias"]
    path = save(tmp_path / "a.safetensors", state)
    with pytest.raises(
        WeightsError, match=r"this is pose at nano, but does not fit: 1 missing \(decode_head.conv_pose"
    ):
        load(path)


def test_load_model__one_name_too_many(tmp_path, state):
    path = save(tmp_path / "a.safetensors", {**state, "ema.step": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"does not fit: 1 unexpected \(ema.step\)"):
        load(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["layers.0.attn.qkv.weight", "pos_embed"], "first Sapiens generation", id="generation 1"),
        pytest.param(["conv1.weight"], "not the names of a Sapiens2 model", id="another model"),
    ],
)
def test_load_model__another_architecture(tmp_path, names, message):
    path = save(tmp_path / "a.safetensors", {name: torch.zeros(2, 2) for name in names})
    with pytest.raises(WeightsError, match=f"{re.escape(str(path))}: .*{message}"):
        load(path)


@pytest.mark.parametrize(
    ("task", "size", "parameters"),
    [
        ("pretrain", "0.1b", 0.114e9),
        ("pretrain", "0.4b", 395_450_368),
        ("pretrain", "0.8b", 814_283_520),
        ("pretrain", "1b", 1_455_474_176),
        ("pretrain", "5b", 5_066_902_976),
        ("pretrain", "1b-4k", 1.6066e9),
        ("pose", "1b", 1519.78e6),
        ("seg", "0.4b", None),
        ("normal", "5b", None),
        ("pointmap", "0.8b", None),
        ("matting", "1b", None),
        ("albedo", "0.4b", None),
        ("pose", "nano", None),
    ],
)
def test_identify__from_the_header_alone(tmp_path, task, size, parameters):
    found = identify(write_hollow(tmp_path / "a.safetensors", task, size))
    assert (found.task, found.size, found.layout) == (task, size, "original")
    assert found.tokenizer == (size == "1b-4k")
    if parameters is not None:
        assert found.parameters == pytest.approx(parameters, rel=0 if isinstance(parameters, int) else 3e-3)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_load_model__float32_file_leaves_memory_after_conversion(tmp_path):
    state = random_state("seg")
    # Enough bytes to be seen: a head for many classes.
    path = save(tmp_path / "a.safetensors", {**state, "decode_head.conv_seg.weight": torch.zeros(1_000_000, 24, 1, 1)})
    model = meta_model("seg", "nano")
    with torch.device("meta"):
        model.decode_head.conv_seg.weight = torch.nn.Parameter(torch.empty(1_000_000, 24, 1, 1))
    size_mb = path.stat().st_size / 1e6
    del state
    gc.collect()
    before = resident_mb()
    load_model(model, path, task="seg", size="nano", dtype=torch.bfloat16)
    assert resident_mb() - before < 0.7 * size_mb
