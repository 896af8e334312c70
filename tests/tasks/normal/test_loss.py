"""Loss of normal: recorded values and gradients, empty masks, NaN outside the mask, bad targets."""

import math

import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.normal.loss import LossConfig, compute_loss

TERMS = {"cosine": "cosine_w10", "l1": "l1_w1", "gradient": "grad_w10"}


@pytest.fixture(scope="module")
def golden():
    return record("losses_normal.npz")


def loss_of(pred, target, mask, **config):
    return compute_loss({"normals": pred}, {"normals": target, "mask": mask}, recipe(LossConfig(**config)))


@pytest.mark.parametrize(("term", "name"), TERMS.items())
def test_terms__recorded(golden, term, name):
    pred = golden["pred"].clone().requires_grad_()
    terms = loss_of(pred, golden["target"], golden["mask"][:, 0])
    check(terms[term], golden[f"{name}/loss"], pred, golden[f"{name}/grad"])


@pytest.mark.parametrize(("term", "name"), TERMS.items())
def test_terms__empty_mask(golden, term, name):
    pred = golden["pred"].clone().requires_grad_()
    terms = loss_of(pred, golden["target"], torch.zeros_like(golden["mask"][:, 0]))
    (gradient,) = torch.autograd.grad(terms["loss"], pred, retain_graph=True)
    assert terms[term].item() == golden[f"{name}/loss_empty_mask"].item() == 0
    assert gradient.abs().max() == 0


def test_compute_loss__recorded_from_low_resolution(golden):
    pred = golden["head/pred_low"].clone().requires_grad_()
    terms = loss_of(pred, golden["target"], golden["mask"][:, 0])
    check(terms["loss"], golden["head/total"], pred, golden["head/grad"])
    for term, name in {"cosine": "cosine_sim", "l1": "l1", "gradient": "grad_l1"}.items():
        torch.testing.assert_close(terms[term], golden[f"head/loss_{name}"], rtol=1e-5, atol=0)


def test_outside_the_mask__nan_targets_change_nothing(golden):
    mask, pred = golden["mask"], golden["pred"].clone().requires_grad_()
    target = golden["target"].where(mask, torch.tensor(math.nan))
    terms = loss_of(pred, target, mask[:, 0])
    check(terms["cosine"], golden["cosine_w10/loss"], pred, golden["cosine_w10/grad"])
    check(terms["gradient"], golden["grad_w10/loss"], pred, golden["grad_w10/grad"])


def test_exact_prediction__no_loss(golden):
    terms = loss_of(golden["target"].clone(), golden["target"], golden["mask"][:, 0])
    assert terms["loss"].item() < 1e-5


def test_zero_vectors__finite_gradient(golden):
    pred = torch.zeros_like(golden["pred"]).requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(pred, golden["target"], golden["mask"][:, 0])["loss"], pred)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("NaN", {"normals": torch.full((2, 3, 4, 3), math.nan)}, "'normals' of example 0 of the batch: NaN"),
        ("mask size", {"mask": torch.ones(2, 4, 4, dtype=torch.bool)}, "'mask': expected shape (2, 4, 3)"),
        ("channels last", {"normals": torch.zeros(2, 4, 3, 3)}, "'normals': expected shape (2, 3, H, W)"),
    ],
)
def test_bad_targets(word, change, says):
    batch = {"normals": torch.zeros(2, 3, 4, 3), "mask": torch.ones(2, 4, 3, dtype=torch.bool)} | change
    with pytest.raises(InputError) as caught:
        compute_loss({"normals": torch.ones(2, 3, 4, 3)}, batch, recipe(LossConfig()))
    assert says in str(caught.value), word


@pytest.mark.parametrize(("compat", "finite"), [("default", False), ("reference", True)])
def test_nan_prediction(compat, finite):
    batch = {"normals": torch.ones(1, 3, 4, 3), "mask": torch.ones(1, 4, 3, dtype=torch.bool)}
    pred = torch.full((1, 3, 4, 3), math.nan)
    loss = compute_loss({"normals": pred}, batch, recipe(LossConfig(), compat))["loss"]
    assert bool(loss.isfinite()) is finite
