import pytest
import torch
from torch import nn

from sapiens.config import Optim, Recipe
from sapiens.errors import InputError
from sapiens.tasks import get_task
from sapiens.tasks.base import build_model
from sapiens.training.tune import LowRank, budget, choose_trained, merged


@pytest.fixture
def model():
    return build_model(get_task("seg"), "nano")


def test_low_rank__starts_as_the_plain_layer_and_merges() -> None:
    plain = nn.Linear(5, 4)
    low, x = LowRank(plain, 2), torch.randn(3, 5)
    torch.testing.assert_close(low(x), plain(x))
    nn.init.normal_(low.lora_b)
    state = merged({f"a.{name}": tensor for name, tensor in low.state_dict().items()})
    assert state.keys() == {"a.weight", "a.bias"}
    torch.testing.assert_close(x @ state["a.weight"].T + state["a.bias"], low(x))


def test_lora__few_parameters_are_trained(model) -> None:
    names = set(model.state_dict())
    choose_trained(model, "lora:4")
    backbone = budget(model.backbone)
    assert 0 < backbone.trained < 0.05 * backbone.total
    assert set(merged(model.state_dict())) == names
    assert "parameters trained" in str(backbone)


ROWS = [
    ("all", "adamw", 0.0, lambda all_, head: (all_, 2 * all_, 0)),
    ("head", "adamw", 0.0, lambda all_, head: (head, 2 * head, 0)),
    ("head", "adamw", 0.9, lambda all_, head: (head, 2 * head, head)),
]


@pytest.mark.parametrize(("tune", "kind", "ema", "want"), ROWS, ids=["all", "head", "running mean"])
def test_budget__counts_what_is_kept(tune, kind, ema, want, model) -> None:
    choose_trained(model, tune)
    found = budget(model, recipe(kind, ema))
    everything, head = (4e-6 * sum(p.numel() for p in part.parameters()) for part in (model, model.decode_head))
    got = (found.gradients_mb, found.optimiser_mb, found.mean_mb)
    assert found.weights_mb == pytest.approx(everything)
    assert got == pytest.approx(want(everything, head))
    assert found.sum_mb == pytest.approx(everything + sum(got))


def test_budget__muon_keeps_one_moment_of_matrices(model) -> None:
    adamw, muon = (budget(model, recipe(kind)).optimiser_mb for kind in ("adamw", "muon"))
    assert 0.5 * adamw < muon < 0.6 * adamw


def recipe(kind, ema=0.0):
    return Recipe(task="seg", size="nano", iterations=1, batch_size=1, ema=ema, optim=Optim(kind=kind))


@pytest.mark.parametrize("tune", ["heads", "blocks", "blocks:0", "blocks:7", "lora:x", "head:2"])
def test_choose_trained__refuses(tune, model) -> None:
    with pytest.raises(InputError, match="tune"):
        choose_trained(model, tune)
