"""On a CPU `load` puts faster layers in; results stay, and int8 is said in them."""

import numpy as np
import pytest
import torch
from torch import nn

import sapiens
from sapiens.cpu import swap
from sapiens.cpu.block import StripBlock
from sapiens.cpu.linear import Int8Linear
from sapiens.cpu.processor import computes_in
from sapiens.errors import InputError, UnknownNameError
from sapiens.inference import devices
from sapiens.inference.devices import pick_dtype

CPU = torch.device("cpu")


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (130, 97, 3), np.uint8)


def kinds(predictor):
    return {type(layer) for layer in predictor.model.modules()}


def test_load__reference_keeps_torchs_own_layers(monkeypatch):
    monkeypatch.setattr(swap, "MIN_WIDTH", 0)
    assert StripBlock in kinds(sapiens.load("seg", "nano", device="cpu"))
    assert StripBlock not in kinds(sapiens.load("seg", "nano", device="cpu", compat="reference"))
    assert StripBlock in kinds(sapiens.load("seg", "nano", device="cpu", dtype="bfloat16"))
    assert StripBlock not in kinds(sapiens.load("seg", "nano", device="cpu", dtype="float16"))


@pytest.mark.parametrize("task", ["pose", "seg", "normal", "pointmap", "matting", "albedo"])
def test_load__faster_layers_give_the_same_results(task, picture, monkeypatch):
    plain = sapiens.load(task, "nano", device="cpu")
    monkeypatch.setattr(swap, "MIN_WIDTH", 0)
    monkeypatch.setattr(swap, "MIN_IN", 1)
    monkeypatch.setattr(swap, "MIN_OUT", 1)
    fast = sapiens.load(task, "nano", device="cpu")
    assert kinds(fast) != kinds(plain)
    extra = {"whole_image": True} if task == "pose" else {}
    expected, found = plain(picture, **extra).arrays(), fast(picture, **extra).arrays()
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, atol=2e-3, rtol=2e-3)
        else:
            assert (found[name] != values).mean() < 0.001


def test_load__int8(picture):
    predictor = sapiens.load("normal", "nano", device="cpu", dtype="int8")
    assert Int8Linear in kinds(predictor)
    assert nn.Linear not in kinds(predictor)
    result = predictor(picture)
    assert result.meta.dtype == "int8"
    cosine = (result.normals * sapiens.load("normal", "nano")(picture).normals).sum(-1)
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).mean() < 3


def test_pick_dtype__int8_is_for_cpus():
    assert pick_dtype("int8", CPU) is torch.float32
    with pytest.raises(InputError, match="int8 is for CPUs, this is cuda"):
        pick_dtype("int8", torch.device("cuda"))
    with pytest.raises(UnknownNameError, match="int8"):
        pick_dtype("int9", CPU)


@pytest.mark.parametrize(("has_it", "warnings"), [(True, 0), (False, 1)])
def test_pick_dtype__slow_16_bit_numbers_are_said(has_it, warnings, monkeypatch, caplog):
    monkeypatch.setattr(devices, "computes_in", lambda name: has_it)
    assert pick_dtype("bfloat16", CPU) is torch.bfloat16
    assert len(caplog.records) == warnings
    assert all("far slower than float32" in record.message for record in caplog.records)


def test_computes_in__float32_is_not_asked_and_16_bits_have_an_answer():
    assert isinstance(computes_in("bfloat16"), bool)
    assert isinstance(computes_in("float16"), bool)
