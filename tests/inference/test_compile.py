"""Compiled networks: where there may be one, and batches of one size for it."""

import pytest
import torch
from command import sapiens_cli
from toy import ToyNet, grey, toy_task

import sapiens
from sapiens.errors import InputError
from sapiens.inference import predictor as predictor_module
from sapiens.inference.devices import COMPILE_MODE, check_compile
from sapiens.inference.predictor import Predictor
from sapiens.tasks.base import Setup


@pytest.mark.parametrize("pictures", [1, 4, 6])
def test_whole_batches__incomplete_ones_are_filled_and_the_filling_is_left_out(pictures):
    setup = Setup((4, 3), "default", None)
    predictor = Predictor(
        toy_task(), ToyNet(), setup, name="toy", digest="toy", batch_size=4, whole_batches=True
    )  # fmt: skip
    results = predictor([grey(v) for v in range(pictures)])
    assert [round(float(r.means[0, 0]) * 58.395 + 123.675) for r in results] == list(range(pictures))
    assert set(predictor.model.batches) == {4}


def test_load__compiles_the_network(monkeypatch):
    seen = []
    monkeypatch.setattr(predictor_module, "check_compile", lambda device, compat: None)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda model, **settings: seen.append(settings))
    sapiens.load("seg", "nano", device="cpu", batch_size=2, compile=True)
    assert seen == [{"mode": COMPILE_MODE, "dynamic": False}]


def test_compile__refused_where_it_has_no_use(tmp_path):
    with pytest.raises(InputError, match="compile is for CUDA GPUs, this is cpu"):
        sapiens.load("seg", "nano", device="cpu", compile=True)
    with pytest.raises(InputError, match="expected compat='default', got 'reference'"):
        check_compile(torch.device("cuda"), "reference")
    (tmp_path / "a.jpg").write_bytes(b"")
    done = sapiens_cli("predict", "seg", tmp_path / "a.jpg", "-o", tmp_path / "o", "--device", "cpu", "--compile")
    assert done.exit_code == 1
    assert done.shown.count("compile is for CUDA GPUs, this is cpu") == 1
