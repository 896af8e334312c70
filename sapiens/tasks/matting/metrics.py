"""How far predicted mattes are from the true ones. Every pixel counts; there is no trimap.

| name | meaning |
|---|---|
| alpha_mae, alpha_mse | mean absolute and mean squared error over all pixels of the set |
| sad | sum of absolute errors of a picture, / 1000; mean over pictures |
| grad, conn | gradient and connectivity error of a picture, / 1000; mean over pictures; see `matte_errors` |
| foreground_mae | mean over pixels and channels of the error of premultiplied colours, where the truth has them |
| foreground_mse | likewise, squared |

Sums depend on the size of the pictures: compare them on one set at one size only. The original reports alpha_mae and
foreground_mae, as `l1_alpha` and `l1_foreground`; compat="reference" changes nothing.
"""

from __future__ import annotations

import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Result
from sapiens.tasks.matting.matte_errors import UNIT, connectivity_error, gradient_error
from sapiens.tasks.matting.result import MattingResult
from sapiens.tasks.measuring import SumMetrics, annotation, check_finite, expect


class Metrics(SumMetrics):
    """Errors of mattes; see the table above."""

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its mean absolute error of alpha.

        Raises:
            InputError: no "alpha", another size, NaN, or true alpha outside 0..1.
        """
        found = expect(result, MattingResult, sample)
        target, foreground = annotation(sample, "alpha"), sample.fields.get("foreground")
        check_finite(sample, true_alpha=target, predicted_alpha=found.alpha)
        if target.min() < -1e-4 or target.max() > 1.0001:
            raise InputError(f"{sample.id}: alpha from {target.min():g} to {target.max():g}; expected 0..1")
        if foreground is not None and found.foreground is not None:
            check_finite(sample, true_foreground=foreground, predicted_foreground=found.foreground)
            colour = np.asarray(found.foreground, np.float64) - foreground
            self.sums.add(colour=float(np.abs(colour).sum()), colour_square=float(np.square(colour).sum()))
            self.sums.tally(colours=colour.size)
        error = np.abs(np.asarray(found.alpha, np.float64) - target)
        self.sums.add(
            absolute=float(error.sum()),
            square=float(np.square(error).sum()),
            grad=gradient_error(found.alpha, target),
            conn=connectivity_error(found.alpha, target),
        )
        self.sums.tally(pixels=error.size, pictures=1)
        return float(error.mean())

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN where nothing was counted."""
        return {
            "alpha_mae": self.sums.mean("absolute", "pixels"),
            "alpha_mse": self.sums.mean("square", "pixels"),
            "sad": self.sums.mean("absolute", "pictures") / UNIT,
            "grad": self.sums.mean("grad", "pictures"),
            "conn": self.sums.mean("conn", "pictures"),
            "foreground_mae": self.sums.mean("colour", "colours"),
            "foreground_mse": self.sums.mean("colour_square", "colours"),
        }
