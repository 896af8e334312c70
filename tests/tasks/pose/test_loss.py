"""Loss of pose: recorded values and gradients, cross-entropy over cells, unknown points, bad targets."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.pose.loss import LossConfig, cell_entropy, compute_loss, heatmap_pck

GOLDEN = "losses_pose.npz"


def loss_of(maps, batch, compat="default", **config):
    return compute_loss({"heatmaps": maps}, batch, recipe(LossConfig(**config), compat))


def recorded():
    golden = record(GOLDEN)
    return golden, {"heatmaps": golden["gt_heatmaps"], "weights": golden["keypoint_weights"][:, 0]}


def toy(known=(1, 1, 0)):
    """Three maps of 6x5 with one cell each, the last of them unknown."""
    maps = torch.zeros(1, 3, 6, 5)
    for point, (row, column) in enumerate([(1, 2), (4, 3), (0, 0)]):
        maps[0, point, row, column] = 1
    return {"heatmaps": maps, "weights": torch.tensor([known]).float()}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("mse_w10", {}),
        ("ohkm_top4", {"mse": 1.0, "hardest": 4}),
        ("mse_skip_empty", {"mse": 1.0, "skip_empty": True}),
    ],
)
def test_compute_loss__recorded(name, config):
    golden, batch = recorded()
    pred = golden["pred"].requires_grad_()
    terms = loss_of(pred, batch, **config)
    check(terms["loss"], golden[f"{name}/loss"], pred, golden[f"{name}/grad"])
    assert set(terms) == {"loss", "mse", "pck"}


def test_compute_loss__recorded_pck():
    golden, batch = recorded()
    assert float(loss_of(golden["pred"], batch, compat="reference")["pck"]) == float(golden["mse_w10/acc_pose"])


def test_cell_entropy__by_hand():
    logits = torch.tensor([0.1, 0.4, -0.2, 0.0])
    target = torch.tensor([0.5, 1.5, 0.0, 0.0])
    got = cell_entropy(logits.view(1, 1, 2, 2), target.view(1, 1, 2, 2), torch.ones(1, 1, dtype=torch.bool), 20.0)
    probability = [math.exp(20 * value) for value in logits.tolist()]
    shares = [value / sum(probability) for value in probability]
    assert float(got) == pytest.approx(-(0.25 * math.log(shares[0]) + 0.75 * math.log(shares[1])), rel=1e-5)


def test_cross_entropy__is_added_to_the_squared_error():
    batch = toy()
    pred = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    both = loss_of(pred, batch, cross_entropy=0.5)
    alone = loss_of(pred, batch, mse=0.0, cross_entropy=1.0)
    assert set(alone) == {"loss", "cross_entropy", "pck"}
    torch.testing.assert_close(both["loss"], loss_of(pred, batch)["mse"] + 0.5 * alone["cross_entropy"])


def test_cross_entropy__falls_to_the_right_cell():
    batch = toy()
    right, wrong = batch["heatmaps"], batch["heatmaps"].flip(-2)
    good, bad = (float(loss_of(maps, batch, mse=0.0, cross_entropy=1.0)["loss"]) for maps in (right, wrong))
    assert good < 1e-4
    assert bad > 15


@pytest.mark.parametrize("term", ["mse", "cross_entropy"])
def test_unknown_points__have_no_gradient(term):
    pred = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss_of(pred, toy(), **{"mse": 0.0, "cross_entropy": 0.0, term: 1.0})["loss"].backward()
    assert pred.grad[0, 2].abs().max() == 0
    assert pred.grad[0, 0].abs().max() > 0


@pytest.mark.parametrize("config", [{}, {"cross_entropy": 1.0}, {"hardest": 2}], ids=str)
def test_nobody_known__loss_and_gradient_are_zero(config):
    pred = torch.rand(1, 3, 6, 5).requires_grad_()
    terms = loss_of(pred, toy(known=(0, 0, 0)), **config)
    terms["loss"].backward()
    assert terms["loss"].item() == 0
    assert float(terms["pck"]) == 0
    assert pred.grad.abs().max() == 0


def test_cross_entropy__known_point_with_an_empty_map():
    batch = toy(known=(1, 1, 1))
    batch["heatmaps"][0, 2] = 0
    pred = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    got = loss_of(pred, batch, mse=0.0, cross_entropy=1.0)["loss"]
    torch.testing.assert_close(got, loss_of(pred, toy(), mse=0.0, cross_entropy=1.0)["loss"])


def test_hardest__more_than_there_are():
    batch, pred = toy(), torch.rand(1, 3, 6, 5)
    torch.testing.assert_close(loss_of(pred, batch, hardest=128)["loss"], loss_of(pred, batch)["loss"])


def test_pck__reference_swaps_the_sides():
    target, pred = torch.zeros(1, 1, 100, 50), torch.zeros(1, 1, 100, 50)
    target[0, 0, 50, 20], pred[0, 0, 50, 24] = 1, 1
    visible = torch.ones(1, 1, dtype=torch.bool)
    assert float(heatmap_pck(pred, target, visible)) == 0
    assert float(heatmap_pck(pred, target, visible, reference=True)) == 1


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("NaN map", lambda batch: batch["heatmaps"][0, 1].fill_(math.nan), "'heatmaps' of example 0"),
        ("infinite weight", lambda batch: batch["weights"][0, 1].fill_(math.inf), "'weights' of example 0"),
        (
            "other size",
            lambda batch: batch.update(heatmaps=torch.zeros(1, 3, 5, 5)),
            "'heatmaps': expected shape (1, 3, 6, 5), got (1, 3, 5, 5)",
        ),
        (
            "other weights",
            lambda batch: batch.update(weights=torch.zeros(1, 2)),
            "'weights': expected shape (1, 3), got (1, 2)",
        ),
        ("no weights", lambda batch: batch.pop("weights"), "'weights' is missing; the batch has heatmaps"),
    ],
)
def test_bad_targets(word, change, says):
    batch = toy()
    change(batch)
    with pytest.raises(InputError) as caught:
        loss_of(torch.zeros(1, 3, 6, 5), batch)
    assert says in str(caught.value), word


def test_all_weights_zero():
    with pytest.raises(InputError, match="weight 0"):
        loss_of(torch.zeros(1, 3, 6, 5), toy(), mse=0.0)


def test_config__released_values():
    assert dataclasses.asdict(LossConfig()) == {
        "mse": 10.0,
        "cross_entropy": 0.0,
        "temperature": 20.0,
        "hardest": 0,
        "skip_empty": False,
    }


def test_half_precision_maps__give_a_float32_cross_entropy():
    batch = toy()
    pred = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    got = cell_entropy(pred.bfloat16(), batch["heatmaps"], batch["weights"] > 0, 20.0)
    assert got.dtype == torch.float32
    assert np.isfinite(float(got))
