"""Loss terms on cases worked out by hand; their recorded values are tested with the tasks that use them."""

import math

import pytest
import torch

from sapiens.errors import InputError
from sapiens.nn import losses

FULL = torch.ones(1, 1, 6, 8, dtype=torch.bool)
RAMP = torch.arange(8.0).expand(1, 1, 6, 8)


def test_l1__sums_channels_and_counts_pixels_of_the_whole_batch():
    pred, target = torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2)
    mask = torch.zeros(2, 1, 2, 2, dtype=torch.bool)
    mask[0, 0, 0, 0] = True
    target[0, :, 0, 0] = torch.tensor([1.0, 2.0, 3.0])
    assert losses.l1(pred, target, mask).item() == 6


def test_gradient__is_squared_and_needs_both_pixels():
    mask = FULL.clone()
    mask[..., 0] = False
    assert losses.gradient(3 * RAMP, RAMP, mask).item() == 4
    assert losses.gradient(RAMP + 5, RAMP, mask).item() == 0


def test_gradient__one_pixel_wide():
    assert losses.gradient(torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1), torch.ones(1, 1, 1, 1) > 0).item() == 0


@pytest.mark.parametrize(("factor", "want"), [(1.0, 0.0), (2.0, math.log(2) * math.sqrt(0.5))])
def test_silog__half_of_a_common_factor_stays(factor, want):
    depth = 1 + RAMP
    pred = (factor * depth).requires_grad_()
    loss = losses.silog(pred, depth, FULL)
    (gradient,) = torch.autograd.grad(loss, pred)
    assert loss.item() == pytest.approx(want, abs=1e-6)
    assert gradient.isfinite().all()


def test_silog__negative_depths_are_floored():
    assert losses.silog(-RAMP, 1 + RAMP, FULL).isfinite()


@pytest.mark.parametrize(("background", "want"), [(False, 0.0), (True, 0.0)])
def test_dice__perfect_prediction(background, want):
    labels = torch.tensor([[[0, 1], [2, 255]]])
    logits = 100 * torch.nn.functional.one_hot(labels.clamp_max(2), 3).permute(0, 3, 1, 2).float()
    values, present = losses.dice(logits, labels, ignore=255, background=background)
    assert values.item() == pytest.approx(want, abs=1e-6)
    assert present.tolist() == [True]


def test_dice__nothing_but_background():
    logits = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    values, present = losses.dice(logits, torch.zeros(1, 4, 4, dtype=torch.int64), ignore=255)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert values.tolist() == [0.0]
    assert present.tolist() == [False]
    assert gradient.abs().max() == 0


def test_edges__of_a_ramp():
    inner = losses.edges(RAMP)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, math.sqrt(64 + 1e-6)))


def test_laplacian__constant_difference_is_all_in_the_last_level():
    flat = torch.full((1, 1, 64, 64), 0.5)
    got = losses.laplacian(flat, torch.zeros_like(flat), torch.ones(1, 1, 64, 64) > 0)
    assert got.item() == pytest.approx(2**4 * 0.5 / 5, rel=1e-5)


@pytest.mark.parametrize("size_hw", [(1, 1), (5, 3), (6, 6), (33, 17), (64, 48)], ids=str)
def test_laplacian__any_size(size_hw):
    maps = torch.rand(1, 2, *size_hw, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = losses.laplacian(maps, torch.zeros(1, 2, *size_hw), torch.ones(1, 1, *size_hw) > 0)
    loss.backward()
    assert loss.item() > 0
    assert maps.grad.isfinite().all()


def test_total__sum_first_and_nan_counts_as_nothing_only_for_the_reference():
    terms = {"a": torch.tensor(2.0), "b": torch.tensor(math.nan)}
    assert list(losses.total(terms, reference=True)) == ["loss", "a", "b"]
    assert losses.total(terms, reference=True)["loss"].item() == 2
    assert losses.total(terms, reference=False)["loss"].isnan()


def test_total__without_terms():
    with pytest.raises(InputError, match="weight 0"):
        losses.total({}, reference=False)


@pytest.mark.parametrize(
    ("word", "shapes", "says"),
    [
        ("batch", {"a": (3, 1)}, "target 'a': expected shape (2, N), got (3, 1)"),
        ("letters agree", {"a": (2, 4), "b": (2, 5)}, "target 'b': expected shape (2, 4), got (2, 5)"),
        ("axes", {"a": (2, 4, 1)}, "target 'a': expected shape (2, N), got (2, 4, 1)"),
        ("missing", {"c": (2,)}, "target 'a' is missing; the batch has c"),
        ("nothing", {}, "target 'a' is missing; the batch has nothing"),
    ],
)
def test_check_shapes(word, shapes, says):
    batch = {name: torch.zeros(shape) for name, shape in shapes.items()}
    with pytest.raises(InputError) as caught:
        losses.check_shapes(batch, torch.zeros(2), a="B N", b="B N")
    assert str(caught.value) == says, word


def test_check_targets__names_the_example():
    batch = {"depth": torch.ones(3, 1, 2, 2)}
    batch["depth"][2, 0, 1, 1] = math.inf
    losses.check_targets(batch, "depth", mask=batch["depth"].isfinite())
    with pytest.raises(InputError, match="'depth' of example 2 of the batch"):
        losses.check_targets(batch, "depth")
