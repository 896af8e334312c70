"""Loss of seg: recorded values and gradients of every variant, unknown pixels, bad labels."""

import dataclasses

import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.seg.loss import LossConfig, compute_loss

CE = {"dice": 0.0}
DICE = {"cross_entropy": 0.0}
FLAT = {"class_weights": ()}


@pytest.fixture(scope="module")
def golden():
    return record("losses_seg.npz")


def loss_of(logits, labels, **config):
    return compute_loss({"logits": logits}, {"labels": labels}, recipe(LossConfig(**config)))


@pytest.mark.parametrize(
    ("name", "labels", "config"),
    [
        ("ce", "label", CE),
        ("ce_mean_unweighted", "label", CE | FLAT),
        ("ce_mean_weighted_no_ignore", "label_no_ignore", CE | {"divisor": "weights"}),
        ("dice", "label", DICE),
        ("dice_mean", "label", DICE | {"dice_images": "present"}),
        ("dice_naive", "label", DICE | {"dice_squared": False, "dice_images": "present"}),
        ("dice_with_bg", "label", DICE | {"dice_background": True, "dice_images": "present"}),
    ],
)
def test_compute_loss__recorded(golden, name, labels, config):
    logits = golden["logits"].clone().requires_grad_()
    terms = loss_of(logits, golden[labels], **config)
    check(terms["loss"], golden[f"{name}/loss"], logits, golden[f"{name}/grad"])


def test_compute_loss__recorded_from_low_resolution(golden):
    logits = golden["head/logits_low"].clone().requires_grad_()
    terms = loss_of(logits, golden["label"])
    check(terms["loss"], golden["head/total"], logits, golden["head/grad"])
    torch.testing.assert_close(terms["cross_entropy"], golden["head/loss_ce"], rtol=1e-5, atol=0)
    torch.testing.assert_close(terms["dice"], golden["head/loss_dice"], rtol=1e-5, atol=0)
    torch.testing.assert_close(terms["accuracy"], golden["head/acc_seg"], rtol=1e-5, atol=0)


def test_config__class_weights_as_recorded(golden):
    assert LossConfig().class_weights == pytest.approx(golden["class_weight"].tolist())
    assert dataclasses.replace(LossConfig(), class_weights=()) == LossConfig(1.0, 1.0, ())


@pytest.mark.parametrize("divisor", ["all", "known", "weights"])
def test_only_unknown_pixels__loss_and_gradient_are_zero(golden, divisor):
    logits = golden["logits"].clone().requires_grad_()
    terms = loss_of(logits, torch.full_like(golden["label"], 255), divisor=divisor)
    (gradient,) = torch.autograd.grad(terms["loss"], logits)
    assert terms["loss"].item() == terms["accuracy"].item() == 0
    assert gradient.abs().max() == 0


def test_unknown_pixels__have_no_gradient(golden):
    logits = golden["logits"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(logits, golden["label"])["loss"], logits)
    unknown = (golden["label"] == 255)[:, None].expand_as(gradient)
    assert unknown.any()
    assert gradient[unknown].abs().max() == 0


def test_divisor__known_counts_known_pixels(golden):
    every, known = (loss_of(golden["logits"], golden["label"], dice=0.0, divisor=d)["loss"] for d in ("all", "known"))
    share = (golden["label"] != 255).float().mean()
    torch.testing.assert_close(known * share, every)


def test_perfect_logits__loss_is_nearly_zero(golden):
    labels = golden["label_no_ignore"]
    logits = 50 * torch.nn.functional.one_hot(labels, 29).permute(0, 3, 1, 2).float()
    terms = loss_of(logits, labels)
    assert terms["loss"].item() < 1e-3
    assert terms["accuracy"].item() == 100


@pytest.mark.parametrize(
    ("word", "labels", "says"),
    [
        ("too large", torch.full((2, 4, 3), 29), "29 is not a class (0..28, 255: unknown)"),
        ("negative", torch.full((2, 4, 3), -1), "-1 is not a class"),
        ("fractions", torch.zeros(2, 4, 3), "expected integers, got torch.float32"),
        ("other batch", torch.zeros(1, 4, 3, dtype=torch.int64), "expected shape (2, H, W), got (1, 4, 3)"),
        ("extra axis", torch.zeros(2, 1, 4, 3, dtype=torch.int64), "expected shape (2, H, W), got (2, 1, 4, 3)"),
    ],
)
def test_bad_labels(word, labels, says):
    with pytest.raises(InputError) as caught:
        loss_of(torch.zeros(2, 29, 4, 3), labels)
    assert says in str(caught.value), word


def test_bad_class_weights():
    with pytest.raises(InputError, match="expected 29 weights, one per class, got 2"):
        loss_of(torch.zeros(1, 29, 4, 3), torch.zeros(1, 4, 3, dtype=torch.int64), class_weights=(1.0, 2.0))
