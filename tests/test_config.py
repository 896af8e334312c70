import json
from dataclasses import dataclass

import pytest

from sapiens.config import Optim, Recipe, apply, differences, parse_settings, read_settings, to_dict
from sapiens.errors import InputError


@dataclass(frozen=True)
class Loss:
    cosine: float = 10.0
    mode: str | None = None


RECIPE = Recipe("normal", "0.4b", 100, 4, loss=Loss())


def test_apply__from_texts() -> None:
    settings = [
        "optim.lr=1e-3",
        "iterations=2e1",
        "input_hw=[64, 48]",
        "loss.cosine=2",
        "precision=bf16",
        "loss.mode=x",
    ]
    changed = apply(RECIPE, parse_settings(settings))
    assert (changed.optim.lr, changed.iterations, changed.input_hw) == (1e-3, 20, (64, 48))
    assert (changed.loss, changed.precision) == (Loss(2.0, "x"), "bf16")
    assert changed.optim.power == RECIPE.optim.power
    assert differences(changed, RECIPE) == [
        "iterations", "optim.lr", "loss.cosine", "loss.mode", "input_hw", "precision",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_read_settings(suffix, tmp_path) -> None:
    path = tmp_path / f"settings{suffix}"
    path.write_text("batch_size = 8\n[optim]\nbetas = [0.9, 0.95]\n" if suffix == ".toml" else
                    '{"batch_size": 8, "optim": {"betas": [0.9, 0.95]}}')  # fmt: skip
    changed = apply(RECIPE, read_settings(path))
    assert (changed.batch_size, changed.optim) == (8, Optim(betas=(0.9, 0.95)))


def test_to_dict__and_back() -> None:
    changed = apply(RECIPE, {"options": {"flip": False}, "loss": {"mode": "y"}})
    assert apply(RECIPE, json.loads(json.dumps(to_dict(changed)))) == changed


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.lrr=1", "did you mean 'lr'"),
        ("iteration=1", "did you mean 'iterations'"),
        ("loss.cosin=1", "did you mean 'cosine'"),
        ("iterations=many", "iterations: expected int, got 'many'"),
        ("iterations=1.5", "expected int, got 1.5"),
        ("iterations=0", "at least 1"),
        ("checkpointing=1", "expected bool"),
        ("batch_size=true", "expected int, got True"),
        ("precision=fp8", "unknown precision 'fp8'"),
        ("input_hw=[1]", "input_hw: expected tuple"),
        ("loss.mode=3", "expected str or NoneType"),
        ("ema=1", "below 1"),
        ("seed", "expected NAME=VALUE"),
    ],
)
def test_apply__refuses(setting, message) -> None:
    with pytest.raises(InputError) as caught:
        apply(RECIPE, parse_settings([setting]))
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [("a.yaml", ""), ("b.toml", "="), ("c.json", "[1]"), ("d.toml", None)])
def test_read_settings__refuses(name, text, tmp_path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_settings(tmp_path / name)
