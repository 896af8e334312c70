"""Loss of matting: recorded values and gradients, alpha alone, unknown foreground, bad targets."""

import math

import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.matting.loss import LossConfig, compute_loss

TERMS = {"l1": "l1", "gradient": "grad", "laplacian": "lap"}


@pytest.fixture(scope="module")
def golden():
    return record("losses_matting.npz")


def batch_of(golden):
    return {"alpha": golden["gt_alpha"], "foreground": golden["gt_foreground"], "mask": golden["mask"][:, 0]}


def loss_of(pred, batch, **config):
    return compute_loss({"matte": pred}, batch, recipe(LossConfig(**config)))


@pytest.mark.parametrize(("term", "name"), TERMS.items())
def test_terms__recorded(golden, term, name):
    pred = golden["pred_rgba"].clone().requires_grad_()
    terms = loss_of(pred, batch_of(golden))
    pair = terms[f"{term}_alpha"], terms[f"{term}_foreground"]
    torch.testing.assert_close(pair[0], golden[f"loss_{name}_pha"], rtol=1e-5, atol=0)
    torch.testing.assert_close(pair[1], golden[f"loss_{name}_fgr"], rtol=1e-5, atol=0)
    want = golden[f"loss_{name}_pha"] + golden[f"loss_{name}_fgr"]
    check(sum(pair), want, pred, golden[f"loss_{name}/grad"])


def test_compute_loss__recorded_total(golden):
    pred = golden["pred_rgba"].clone().requires_grad_()
    check(loss_of(pred, batch_of(golden))["loss"], golden["total"], pred, golden["total/grad"])


def test_compute_loss__network_with_alpha_alone(golden):
    terms = loss_of(golden["pred_rgba"][:, 3:], batch_of(golden))
    assert set(terms) == {"loss", "l1_alpha", "gradient_alpha", "laplacian_alpha"}
    want = sum(golden[f"loss_{name}_pha"] for name in TERMS.values())
    torch.testing.assert_close(terms["loss"], want, rtol=1e-5, atol=0)


def test_compute_loss__exact_prediction(golden):
    batch = batch_of(golden)
    assert loss_of(torch.cat([batch["foreground"], batch["alpha"]], 1), batch)["loss"].item() == 0


def test_compute_loss__unknown_foreground_gives_none(golden):
    batch = batch_of(golden) | {"mask": torch.zeros_like(golden["mask"][:, 0])}
    batch["foreground"] = torch.full_like(batch["foreground"], math.nan)
    pred = golden["pred_rgba"].clone().requires_grad_()
    terms = loss_of(pred, batch)
    (gradient,) = torch.autograd.grad(terms["loss"], pred)
    assert all(terms[f"{term}_foreground"].item() == 0 for term in TERMS)
    assert gradient[:, :3].abs().max() == 0
    assert gradient.isfinite().all()


def test_compute_loss__pictures_too_small_for_all_levels():
    batch = {"alpha": torch.ones(1, 1, 7, 5), "foreground": torch.ones(1, 3, 7, 5), "mask": torch.ones(1, 7, 5) > 0}
    terms = loss_of(torch.zeros(1, 4, 7, 5), batch)
    assert terms["laplacian_alpha"].item() > 0
    assert terms["loss"].isfinite()


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("NaN alpha", {"alpha": torch.full((2, 1, 8, 6), math.nan)}, "'alpha' of example 0 of the batch: NaN"),
        ("NaN colour", {"foreground": torch.full((2, 3, 8, 6), math.inf)}, "'foreground' of example 0"),
        ("no channel axis", {"alpha": torch.zeros(2, 8, 6)}, "'alpha': expected shape (2, 1, H, W)"),
        ("sizes differ", {"foreground": torch.zeros(2, 3, 8, 7)}, "'foreground': expected shape (2, 3, 8, 6)"),
    ],
)
def test_bad_targets(word, change, says):
    batch = {
        "alpha": torch.zeros(2, 1, 8, 6),
        "foreground": torch.zeros(2, 3, 8, 6),
        "mask": torch.ones(2, 8, 6, dtype=torch.bool),
    }
    with pytest.raises(InputError) as caught:
        loss_of(torch.zeros(2, 4, 8, 6), batch | change)
    assert says in str(caught.value), word
