import pytest
import torch
from torch import nn

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


@pytest.mark.parametrize("tune", ["heads", "blocks", "blocks:0", "blocks:7", "lora:x", "head:2"])
def test_choose_trained__refuses(tune, model) -> None:
    with pytest.raises(InputError, match="tune"):
        choose_trained(model, tune)
