"""How far predicted albedo is from the true one, over all known pixels of a set; colours are 0..1, display encoding.

| name | meaning |
|---|---|
| mae | mean absolute error; channels are averaged first |
| rmse | square root of the mean squared error |
| psnr | -10 log10 of the mean squared error, dB: one error for the whole set, not a mean over pictures |
| ssim | structural similarity over windows within the mask; see `sapiens.nn.ssim` |
| grad_l1 | mean absolute error of the differences between neighbouring pixels, along x and y, both known |
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.imaging.sample import Sample
from sapiens.nn.ssim import ssim_sum
from sapiens.nn.sums import Sums
from sapiens.tasks.albedo.result import AlbedoResult
from sapiens.tasks.base import Result
from sapiens.tasks.measuring import Mask, SumMetrics, annotation, check_finite, expect, known_mask

Colours = npt.NDArray[np.floating[Any]]


class Metrics(SumMetrics):
    """Errors of albedo; see the table above. There is nothing that compat="reference" would change."""

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its mean absolute error, NaN if it has no known pixel.

        Raises:
            InputError: no "albedo", another size, or NaN where it counts.
        """
        pred = expect(result, AlbedoResult, sample).albedo
        target, known = annotation(sample, "albedo"), known_mask(sample)
        check_finite(sample, true_albedo=target[known], predicted_albedo=pred[known])
        return add_errors(self.sums, pred, target, known)

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN if no pixel was known."""
        return albedo_numbers(self.sums)


def add_errors(sums: Sums, pred: Colours, target: Colours, known: Mask) -> float:
    """Add the errors of a picture, (H, W, 3) within (H, W) bool; returns its mean absolute error."""
    error = np.where(known[..., None], np.asarray(pred, np.float64) - target, 0)
    absolute = np.abs(error).mean(-1)[known]
    similar, windows = ssim_sum(pred, target, known)
    steps, pairs = 0.0, 0
    for axis in (0, 1):
        both = known.take(range(1, known.shape[axis]), axis) & known.take(range(known.shape[axis] - 1), axis)
        steps += float(np.abs(np.diff(error, axis=axis)).mean(-1)[both].sum())
        pairs += int(both.sum())
    sums.add(absolute=float(absolute.sum()), square=float(np.square(error).mean(-1)[known].sum()))
    sums.add(similar=similar, steps=steps)
    sums.tally(pixels=len(absolute), windows=windows, pairs=pairs)
    return float(absolute.mean()) if len(absolute) else math.nan


def albedo_numbers(sums: Sums) -> dict[str, float]:
    """The numbers of what `add_errors` added."""
    square = sums.mean("square", "pixels")
    return {
        "mae": sums.mean("absolute", "pixels"),
        "rmse": math.sqrt(square),
        "psnr": math.inf if square == 0 else -10 * math.log10(square),
        "ssim": sums.mean("similar", "windows"),
        "grad_l1": sums.mean("steps", "pairs"),
    }
