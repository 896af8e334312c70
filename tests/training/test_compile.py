"""A run whose blocks and heads are compiled computes what one without computes."""

import json
import shutil

import pytest
from helpers_training import make_trainer
from safetensors.torch import load_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute"),  # the compiler looks at it, and hides the warning
]


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_compile__the_same_losses_gradients_and_weights(tmp_path) -> None:
    """Sums are taken in another order, and Adam blows rounding up where a gradient is small: weights are compared with
    the way that they have gone."""
    plain = make_trainer(tmp_path / "plain", iterations=3)
    start = {name: tensor.clone() for name, tensor in plain.weights().items()}
    want = load_file(plain.run())
    compiled = make_trainer(tmp_path / "compiled", iterations=3, compile=True)
    parts = [*compiled.model.backbone.blocks, compiled.model.decode_head]
    assert all(part._compiled_call_impl is not None for part in parts)
    got = load_file(compiled.run())
    for mine, theirs in zip(log(tmp_path / "compiled"), log(tmp_path / "plain"), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert mine["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)
    assert got.keys() == want.keys() == start.keys()
    for name, before in start.items():
        if name == "decode_head.conv_layers.0.bias":
            continue  # an instance norm follows: its gradient is nothing but rounding
        apart, way = (got[name] - want[name]).norm(), (want[name] - before).norm()
        assert apart <= 5e-2 * way, (name, float(apart), float(way))
