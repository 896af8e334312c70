"""Loss terms that several tasks share; plain functions of tensors, batch first, computed in the inputs' dtype.

Shapes: values (B, C, h, w); masks (B, 1, h, w) bool. Errors are summed over channels and divided by the number of
valid pixels of the whole batch, as in the released training. With an empty mask every term and its gradient are 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens.errors import InputError

SHORTEST = 1e-6
"""Lengths below this are taken as this."""


def over_mask(values: Tensor, mask: Tensor) -> Tensor:
    """Sum over valid pixels and all channels / number of valid pixels; what lies outside the mask has no influence."""
    kept = torch.where(mask, values, torch.zeros_like(values))
    return kept.sum() / mask.sum().clamp_min(1)


def l1(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Sum of |pred - target| over channels, mean over valid pixels."""
    pred, target = inside(pred, mask), inside(target, mask)
    return over_mask((pred - target).abs(), mask)


def inside(values: Tensor, mask: Tensor) -> Tensor:
    """The values, 0 outside the mask: NaN or fill there reaches neither a loss nor, through 0 * NaN, a gradient."""
    return torch.where(mask, values, torch.zeros_like(values))


def cosine(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """1 - cosine of the angle between vectors along the channels, mean over valid pixels; lengths at least 1e-6."""
    pred, target = unit(inside(pred, mask)), unit(inside(target, mask))
    return over_mask(1 - (pred * target).sum(1, keepdim=True), mask)


def unit(vectors: Tensor) -> Tensor:
    """(B, C, h, w) divided by their lengths along the channels, at least 1e-6; the gradient at zero is finite."""
    return F.normalize(vectors, dim=1, eps=SHORTEST)


def gradient(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared difference of forward differences, along x and along y each a mean over pairs of valid pixels; added.

    The original calls it an L1 loss; it is squared.
    """
    error = inside(pred, mask) - inside(target, mask)
    total = pred.new_zeros(())
    for axis in (-1, -2):
        count = mask.shape[axis] - 1
        both = mask.narrow(axis, 1, count) & mask.narrow(axis, 0, count)
        total = total + over_mask(error.diff(dim=axis).square(), both)
    return total


def silog(pred_depth: Tensor, depth: Tensor, mask: Tensor, *, floor: float = 1e-4, centred: float = 0.5) -> Tensor:
    """Scale-invariant log error e = ln depth - ln pred: sqrt(mean e^2 - centred * (mean e)^2), mean over images.

    Args:
        pred_depth, depth: (B, 1, h, w); values below `floor` are taken as it.
        mask: an image without valid pixels counts as 0 in the mean.

    Source: Eigen, Puhrsch, Fergus, "Depth Map Prediction from a Single Image", 2014, equation 4.
    """
    ones = torch.ones_like(depth)
    error = (
        torch.where(mask, depth, ones).clamp_min(floor).log()
        - torch.where(mask, pred_depth, ones).clamp_min(floor).log()
    )
    count = mask.sum((1, 2, 3)).clamp_min(1)
    mean, square = error.sum((1, 2, 3)) / count, error.square().sum((1, 2, 3)) / count
    variance = square - centred * mean.square()
    # The slope of a square root at 0 is infinite: an exact prediction must not give a NaN gradient.
    positive = variance > 0
    roots = torch.where(positive, variance, torch.ones_like(variance)).sqrt()
    return torch.where(positive, roots, variance * 0).mean()


def dice(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore: int,
    background: bool = False,
    squared: bool = True,
    eps: float = 1e-3,
) -> tuple[Tensor, Tensor]:
    """1 - Dice overlap of class probabilities with labels, averaged over the classes present in an image.

    Args:
        logits: (B, C, h, w).
        labels: (B, h, w) int64, `ignore` where unknown.
        background: count class 0 as well.
        squared: denominators sum p^2 + sum g^2 (Milletari et al., "V-Net", 2016), else sum p + sum g.

    Returns:
        (B,) loss, 0 for images with no present class; (B,) bool, whether an image has one.
    """
    valid = labels != ignore
    first = 0 if background else 1
    probability = logits.softmax(1) * valid[:, None]
    # Sums by class instead of one map per class: maps of zeros and ones would take as long as the network's last layer.
    classes = labels.where(valid, 0).flatten(1)
    at_truth = probability.flatten(2).gather(1, classes[:, None])[:, 0]
    empty = probability.new_zeros(probability.shape[:2])
    overlap = empty.scatter_add(1, classes, at_truth)[:, first:]
    truth = empty.scatter_add(1, classes, valid.flatten(1).to(logits.dtype))[:, first:]
    sizes = (probability.square() if squared else probability).sum((2, 3))[:, first:] + truth
    score = (2 * overlap + eps) / (sizes + eps)
    present = truth > 0
    count = present.sum(1)
    average = (score * present).sum(1) / count.clamp_min(1)
    return torch.where(count > 0, 1 - average, average * 0), count > 0


SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])


def edges(values: Tensor) -> Tensor:
    """Length of the 3x3 Sobel gradient (1-2-1, not normalised), reflected borders: sqrt(gx^2 + gy^2 + 1e-6)."""
    across = _filter(values, SOBEL)
    down = _filter(values, SOBEL.T)
    return (across.square() + down.square() + 1e-6).sqrt()


def sobel(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean over all elements of |difference of `edges`| within the mask; the mask does not enter the divisor."""
    return (mask * (edges(pred) - edges(target)).abs()).mean()


def laplacian(pred: Tensor, target: Tensor, mask: Tensor, levels: int = 5) -> Tensor:
    """Difference of Laplacian pyramids: sum over levels i of 2^i * mean |difference| within the mask, / `levels`.

    The last level is what is left, the low-pass; pictures too small for all levels end earlier. The mask is resized
    to each level, nearest. Source: Hou and Liu, "Context-Aware Image Matting", 2019, equation 4.
    """
    # A pyramid is linear: that of the difference is the difference of the two.
    error, total = pred - target, pred.new_zeros(())
    for level in range(levels):
        height, width = error.shape[-2:]
        last = level == levels - 1 or min(height, width) < 6
        error = error if last else error[..., : height // 2 * 2, : width // 2 * 2]
        low = error if last else _filter(error, torch.outer(BINOMIAL, BINOMIAL) / 256)[..., ::2, ::2]
        band = error if last else error - _enlarge(low)
        weight = F.interpolate(mask.to(error.dtype), size=band.shape[-2:], mode="nearest")
        total = total + 2**level * (band.abs() * weight).mean()
        if last:
            break
        error = low
    return total / levels


def _enlarge(low: Tensor) -> Tensor:
    """Twice the size: zeros in between, then the binomial kernel."""
    wide = low.new_zeros(*low.shape[:-2], 2 * low.shape[-2], 2 * low.shape[-1])
    wide[..., ::2, ::2] = low
    return _filter(wide, torch.outer(BINOMIAL, BINOMIAL) / 64)


def _filter(values: Tensor, kernel: Tensor) -> Tensor:
    """Each channel with the same odd square kernel, reflected borders."""
    channels, half = values.shape[1], kernel.shape[0] // 2
    weight = kernel.to(values).expand(channels, 1, *kernel.shape)
    return F.conv2d(F.pad(values, (half,) * 4, mode="reflect"), weight, groups=channels)


def check_shapes(batch: Mapping[str, Tensor], pred: Tensor, **axes: str) -> None:
    """Raise unless the batch has these targets, with these axes.

    Args:
        batch: targets by name.
        pred: (B, ...), whatever the network gave; tells the size of the batch.
        axes: by target, e.g. "B 3 H W": numbers as they stand; a letter is the same size wherever it appears.

    Raises:
        InputError: names the target, its shape and the expected one.
    """
    sizes = {"B": pred.shape[0]}
    for name, text in axes.items():
        if name not in batch:
            raise InputError(f"target {name!r} is missing; the batch has {', '.join(sorted(batch)) or 'nothing'}")
        shape, want = tuple(batch[name].shape), text.split()
        expected = ", ".join(str(sizes.get(axis, axis)) for axis in want)
        if len(shape) == len(want):
            sizes = {axis: have for have, axis in zip(shape, want, strict=True) if not axis.isdigit()} | sizes
            want = [axis if axis.isdigit() else str(sizes[axis]) for axis in want]
        if [str(have) for have in shape] != want:
            raise InputError(f"target {name!r}: expected shape ({expected}), got {shape}")


def check_targets(batch: Mapping[str, Tensor], *names: str, mask: Tensor | None = None) -> None:
    """Raise unless these targets are finite, inside the mask (B, 1, h, w) if one is given.

    Raises:
        InputError: names the target and the first example of the batch that is not.
    """
    for name in names:
        good = batch[name].isfinite()
        if mask is not None:
            good = good | ~mask
        if not bool(good.all()):
            example = int((~good).flatten(1).any(1).nonzero()[0])
            raise InputError(f"target {name!r} of example {example} of the batch: NaN or infinite where it counts")


def total(terms: Mapping[str, Tensor], *, reference: bool) -> dict[str, Tensor]:
    """Weighted terms with their sum as "loss", first; `reference` turns NaN and infinite terms into 0.

    Raises:
        InputError: no terms.
    """
    if not terms:
        raise InputError("every term of the loss has weight 0; at least one must count")
    named = {k: torch.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0) if reference else v for k, v in terms.items()}
    return {"loss": torch.stack(list(named.values())).sum(), **named}
