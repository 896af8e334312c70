"""Loss of pointmap: recorded values and gradients, clamps, rounding noise, empty masks, bad targets."""

import math

import pytest
import torch
from helpers_losses import check, recipe, record

from sapiens.errors import InputError
from sapiens.tasks.pointmap.loss import LossConfig, compute_loss, normal_error, ray_distance

TERMS = {
    "l1": "l1",
    "enlarged_l1": "multiscale_l1_2",
    "silog": "silog",
    "rays": "K_consistency",
    "shift_invariant": "shift_invariant",
    "normal": "normal",
    "scale": "scale_l1",
}
CASES = ("near", "far")
CLAMPED = ("l1", "enlarged_l1", "shift_invariant")


@pytest.fixture(scope="module")
def golden():
    return record("losses_pointmap.npz")


def batch_of(golden):
    return {
        "points": golden["gt_pointmap"],
        "mask": golden["mask"][:, 0],
        "scale": golden["scale"][:, None],
        "intrinsics": golden["original_K"],
    }


def predicted(golden, case):
    return {
        "pointmap": golden[f"{case}/pred_pointmap"].clone().requires_grad_(),
        "scale": golden[f"{case}/pred_scale"].clone().requires_grad_(),
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("term", "name"), TERMS.items())
def test_terms__recorded(golden, term, name, case):
    raw = predicted(golden, case)
    terms = compute_loss(raw, batch_of(golden), recipe(LossConfig(), "reference"))
    want = f"{case}/loss_{name}"
    # Kernels of another machine may round the noisy normals otherwise.
    rtol, gradient_rtol = (1e-2, 1e-2) if term == "normal" else (1e-5, 1e-4)
    leaf, key = (raw["scale"], "grad_scale") if term == "scale" else (raw["pointmap"], "grad_pointmap")
    check(terms[term], golden[want], leaf, golden[f"{want}/{key}"], rtol=rtol, gradient_rtol=gradient_rtol)


@pytest.mark.parametrize("case", CASES)
def test_compute_loss__recorded_total(golden, case):
    raw = predicted(golden, case)
    terms = compute_loss(raw, batch_of(golden), recipe(LossConfig(), "reference"))
    for leaf, key in ((raw["pointmap"], "pointmap"), (raw["scale"], "scale")):
        want, gradient = golden[f"{case}/total"], golden[f"{case}/total/grad_{key}"]
        check(terms["loss"], want, leaf, gradient, rtol=1e-2, gradient_rtol=1e-2)


@pytest.mark.parametrize("term", CLAMPED)
def test_clamp__no_gradient_above(golden, term):
    raw = predicted(golden, "far")
    terms = compute_loss(raw, batch_of(golden), recipe(LossConfig()))
    (gradient,) = torch.autograd.grad(terms[term], raw["pointmap"])
    assert terms[term].item() == 4
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("case", CASES)
def test_default__leaves_out_normals_of_rounding_noise_alone(golden, case):
    terms = compute_loss(predicted(golden, case), batch_of(golden), recipe(LossConfig()))
    assert terms["normal"].item() != golden[f"{case}/loss_normal"].item()
    torch.testing.assert_close(terms["normal"].detach(), golden[f"{case}/loss_normal"], rtol=1e-2, atol=0)


def test_silog__recorded_with_an_empty_image(golden):
    pred = golden["near/pred_pointmap"].clone().requires_grad_()
    batch = batch_of(golden) | {"mask": golden["silog_one_empty/mask"][:, 0]}
    term = compute_loss({"pointmap": pred, "scale": batch["scale"]}, batch, recipe(LossConfig()))["silog"]
    want = torch.zeros_like(pred)
    want[:, 2:] = golden["silog_one_empty/grad"]
    check(term, golden["silog_one_empty/loss"], pred, want)


def test_mean_depth__as_recorded(golden):
    depth, mask = golden["gt_pointmap"][:, 2:], golden["mask"]
    mean = (depth * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)
    torch.testing.assert_close(mean, golden["gt_mean_depth"], rtol=1e-5, atol=0)


def test_empty_mask__only_the_scale_counts(golden):
    raw = predicted(golden, "near")
    batch = batch_of(golden) | {"mask": torch.zeros_like(golden["mask"][:, 0])}
    terms = compute_loss(raw, batch, recipe(LossConfig()))
    (gradient,) = torch.autograd.grad(terms["loss"], raw["pointmap"], retain_graph=True)
    torch.testing.assert_close(terms["loss"], terms["scale"])
    assert gradient.abs().max() == 0


def test_exact_prediction__no_loss_and_finite_gradient(golden):
    batch = batch_of(golden)
    raw = {"pointmap": batch["points"].clone().requires_grad_(), "scale": batch["scale"].clone()}
    terms = compute_loss(raw, batch, recipe(LossConfig(rays=0.0)))
    (gradient,) = torch.autograd.grad(terms["loss"], raw["pointmap"])
    assert abs(terms["loss"].item()) < 1e-5
    assert gradient.isfinite().all()


def test_nan_outside_the_mask__changes_nothing(golden):
    batch = batch_of(golden)
    batch["points"] = batch["points"].where(golden["mask"], torch.tensor(math.nan))
    terms = compute_loss(predicted(golden, "near"), batch, recipe(LossConfig(), "reference"))
    torch.testing.assert_close(terms["loss"].detach(), golden["near/total"], rtol=1e-2, atol=0)


def test_ray_distance__points_on_their_rays():
    camera = torch.tensor([[[50.0, 0, 3], [0, 60, 2], [0, 0, 1]]])
    v, u = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    depth = 1 + 0.1 * u
    points = torch.stack([(u - 3) / 50 * depth, (v - 2) / 60 * depth, depth])[None]
    mask = torch.ones(1, 1, 5, 7, dtype=torch.bool)
    assert ray_distance(points, camera, mask).item() < 1e-6
    points[:, 0] += 0.25
    assert ray_distance(points, camera, mask).item() == pytest.approx(0.25, rel=1e-5)


def test_normal_error__opposite_slopes():
    u = torch.arange(8.0).expand(8, 8)
    plane = torch.stack([u / 100, u.T / 100, 2 + u / 100])[None]
    mirrored = torch.stack([u / 100, u.T / 100, 2 - u / 100])[None]
    mask = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    mask[..., -1] = mask[..., -1, :] = False  # there the reflected border turns the steps round
    # The normals are (-1, 0, 1) and (1, 0, 1) over sqrt 2: cosine 0, components differ by (sqrt 2, 0, 0).
    assert normal_error(plane, mirrored, mask, noise=False).item() == pytest.approx(1 + math.sqrt(2) / 3, rel=1e-4)


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("NaN", {"points": torch.full((2, 3, 4, 3), math.nan)}, "'points' of example 0 of the batch: NaN"),
        ("scale 0", {"scale": torch.zeros(2, 1)}, "'scale': expected a positive factor, got 0"),
        ("scale axis", {"scale": torch.ones(2)}, "'scale': expected shape (2, 1), got (2,)"),
        ("no camera", {"intrinsics": torch.full((2, 3, 3), math.nan)}, "'intrinsics' of example 0"),
        ("mask size", {"mask": torch.ones(2, 4, 4, dtype=torch.bool)}, "'mask': expected shape (2, 4, 3)"),
    ],
)
def test_bad_targets(word, change, says):
    batch = {
        "points": torch.ones(2, 3, 4, 3),
        "mask": torch.ones(2, 4, 3, dtype=torch.bool),
        "scale": torch.ones(2, 1),
        "intrinsics": torch.eye(3).expand(2, 3, 3),
    }
    with pytest.raises(InputError) as caught:
        compute_loss(
            {"pointmap": torch.ones(2, 3, 4, 3), "scale": torch.ones(2, 1)}, batch | change, recipe(LossConfig())
        )
    assert says in str(caught.value), word
