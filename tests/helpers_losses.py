"""Recorded losses: reading them, and comparing a loss and its gradient with the record."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden" / "train"


def record(name):
    """The arrays of a recorded file as tensors."""
    with np.load(GOLDEN / name, allow_pickle=False) as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays.files}


def recipe(config, compat="default"):
    """What losses read of a recipe."""
    return SimpleNamespace(loss=config, compat=compat)


def check(loss, want, leaf, want_gradient, *, rtol=1e-5, gradient_rtol=1e-4):
    """A loss within 1e-5 of the record, its gradient within 1e-4 of the record's largest entry.

    The gradient is taken relative to its largest entry: small ones are differences of large ones in float32.
    """
    np.testing.assert_allclose(loss.item(), want.item(), rtol=rtol, atol=1e-12)
    (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    scale = want_gradient.abs().max().item()
    np.testing.assert_allclose(gradient.numpy(), want_gradient.numpy(), rtol=gradient_rtol, atol=gradient_rtol * scale)
