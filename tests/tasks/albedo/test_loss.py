"""Loss of albedo: recorded values and gradients, empty masks, NaN outside the mask, bad targets."""

import math

import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.albedo.loss import LossConfig, chromaticity, compute_loss


@pytest.fixture(scope="module")
def golden():
    return record("losses_albedo.npz")


def loss_of(pred, target, mask, **config):
    return compute_loss({"albedo": pred}, {"albedo": target, "mask": mask}, recipe(LossConfig(**config)))


@pytest.mark.parametrize(
    ("term", "name", "config"),
    [
        ("l1", "l1_w2", {}),
        ("gradient", "grad_w2", {}),
        ("chroma", "chroma_w1", {}),
        ("low_frequency", "lowfreq_ds4", {"low_frequency": 1.0, "block": 4}),
    ],
)
def test_terms__recorded(golden, term, name, config):
    pred = golden["pred"].clone().requires_grad_()
    terms = loss_of(pred, golden["target"], golden["mask"][:, 0], **config)
    check(terms[term], golden[f"{name}/loss"], pred, golden[f"{name}/grad"])


def test_compute_loss__is_the_sum_of_the_released_terms(golden):
    terms = loss_of(golden["pred"], golden["target"], golden["mask"][:, 0])
    assert set(terms) == {"loss", "l1", "gradient", "chroma"}
    want = sum(golden[f"{name}/loss"] for name in ("l1_w2", "grad_w2", "chroma_w1"))
    torch.testing.assert_close(terms["loss"], want, rtol=1e-5, atol=0)


def test_empty_mask__loss_and_gradient_are_zero(golden):
    pred = golden["pred"].clone().requires_grad_()
    terms = loss_of(pred, golden["target"], torch.zeros_like(golden["mask"][:, 0]), low_frequency=1.0, block=4)
    (gradient,) = torch.autograd.grad(terms["loss"], pred)
    assert terms["loss"].item() == 0
    assert gradient.abs().max() == 0


def test_outside_the_mask__nan_targets_change_nothing(golden):
    mask, pred = golden["mask"], golden["pred"].clone().requires_grad_()
    target = golden["target"].where(mask, torch.tensor(math.nan))
    terms = loss_of(pred, target, mask[:, 0], low_frequency=1.0, block=4)
    check(terms["chroma"], golden["chroma_w1/loss"], pred, golden["chroma_w1/grad"])
    check(terms["low_frequency"], golden["lowfreq_ds4/loss"], pred, golden["lowfreq_ds4/grad"])


def test_chromaticity__does_not_see_brightness():
    rgb = torch.tensor([0.2, 0.3, 0.1]).view(1, 3, 1, 1)
    torch.testing.assert_close(chromaticity(rgb), chromaticity(1.5 * rgb), rtol=1e-4, atol=0)
    assert chromaticity(torch.zeros(1, 3, 1, 1)).abs().max() == 0


def test_low_frequency__blocks_larger_than_the_picture(golden):
    terms = loss_of(golden["pred"], golden["target"], golden["mask"][:, 0], low_frequency=1.0, block=64)
    assert terms["low_frequency"].isfinite()


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("NaN", {"albedo": torch.full((2, 3, 4, 3), math.nan)}, "'albedo' of example 0 of the batch: NaN"),
        ("grey", {"albedo": torch.zeros(2, 1, 4, 3)}, "'albedo': expected shape (2, 3, H, W)"),
        ("mask axis", {"mask": torch.ones(2, 1, 4, 3, dtype=torch.bool)}, "'mask': expected shape (2, 4, 3)"),
    ],
)
def test_bad_targets(word, change, says):
    batch = {"albedo": torch.zeros(2, 3, 4, 3), "mask": torch.ones(2, 4, 3, dtype=torch.bool)} | change
    with pytest.raises(InputError) as caught:
        compute_loss({"albedo": torch.ones(2, 3, 4, 3)}, batch, recipe(LossConfig()))
    assert says in str(caught.value), word
