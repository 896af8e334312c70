"""How well predicted body parts agree with the true ones, over all pixels of a set; pixels labelled 255 do not count.

Shares are between 0 and 1. With I a class's pixels in both, P in the prediction, L in the label:

| name | meaning |
|---|---|
| miou, macc, mdice, mprecision | means over classes of I / (P + L - I), I / L, 2 I / (P + L), I / P |
| aacc | pixels with the right class |
| miou_common | miou over the classes that cover at least 0.1 % of the labelled pixels |
| boundary_f | mean over pictures of the mean F-score of boundaries over the classes in it; see `boundary` |
| iou/NAME, accuracy/NAME, boundary_f/NAME | of one class; its boundary_f is a mean over the pictures that have it |

A class that appears neither in labels nor in predictions is left out of a mean; compat="reference" counts it as 0, as
the original is configured. Only classes that a set has should count, and with few pictures most are absent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.nn.sums import Counts, ratio
from sapiens.tasks.base import Result
from sapiens.tasks.measuring import SumMetrics, annotation, expect
from sapiens.tasks.seg.boundary import boundary_scores
from sapiens.tasks.seg.classes import IGNORE_INDEX, NAMES
from sapiens.tasks.seg.result import SegResult

COMMON = 0.001
"""Least share of the labelled pixels of a common class."""

Labels = npt.NDArray[np.integer[Any]]
Shares = npt.NDArray[np.float64]


class Metrics(SumMetrics):
    """Agreement of labels; see the table above."""

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its own mean IoU over the classes in it, NaN if no pixel is labelled.

        Raises:
            InputError: no "labels", another size, or a label that is no class.
        """
        pred = expect(result, SegResult, sample).labels
        label = annotation(sample, "labels")
        counts = confusion(pred, label, sample.id)
        scores = boundary_scores(pred, label)
        self.sums.tally(confusion=counts, pictures=1 if scores else 0)
        if scores:
            self.sums.add(boundary=sum(scores.values()) / len(scores))
        for index, score in scores.items():
            self.sums.add(**{f"boundary/{index}": score})
            self.sums.tally(**{f"boundary/{index}/pictures": 1})
        return average(class_shares(counts)["iou"])

    def confusion(self) -> Counts:
        """(29, 29) int64 pixels: row, the true class; column, the predicted one."""
        return np.broadcast_to(self.sums.counts("confusion"), (len(NAMES), len(NAMES))).copy()

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN for what no pixel tells."""
        counts = self.confusion()
        shares = class_shares(counts)
        area = counts.sum(1)
        common = area >= max(1, COMMON * area.sum())
        f_scores = {k: self.sums.mean(f"boundary/{k}", f"boundary/{k}/pictures") for k in range(len(NAMES))}
        return {
            "miou": average(shares["iou"], self.reference),
            "miou_common": average(shares["iou"][common]),
            "macc": average(shares["accuracy"], self.reference),
            "aacc": ratio(float(np.trace(counts)), float(counts.sum())),
            "mdice": average(shares["dice"], self.reference),
            "mprecision": average(shares["precision"], self.reference),
            "boundary_f": self.sums.mean("boundary", "pictures"),
            **{f"iou/{name}": value for name, value in zip(NAMES, shares["iou"].tolist(), strict=True)},
            **{f"accuracy/{name}": value for name, value in zip(NAMES, shares["accuracy"].tolist(), strict=True)},
            **{f"boundary_f/{name}": f_scores[index] for index, name in enumerate(NAMES)},
        }

    def tables(self) -> dict[str, tuple[tuple[str, ...], Counts]]:
        """The confusion matrix with its names."""
        return {"confusion": (NAMES, self.confusion())}


def confusion(pred: Labels, label: Labels, name: str = "labels") -> Counts:
    """(29, 29) int64 pixels by true class (row) and predicted class (column).

    Args:
        pred: (H, W) classes.
        label: (H, W) classes, 255 where unknown.
        name: of the picture, for errors.

    Raises:
        InputError: a label that is neither a class nor 255.
    """
    known, classes = label != IGNORE_INDEX, len(NAMES)
    for what, values in (("label", label[known]), ("predicted label", pred[known])):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            wrong = values.max() if values.max() >= classes else values.min()
            raise InputError(f"{name}: {what} {wrong} is no class (0..{classes - 1}, 255: unknown)")
    pairs = label[known].astype(np.int64) * classes + pred[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_shares(counts: Counts) -> dict[str, Shares]:
    """iou, accuracy (recall), dice and precision of every class, (29,) float64; NaN where the divisor is 0."""
    both, label, pred = np.diag(counts).astype(np.float64), counts.sum(1), counts.sum(0)
    divisors = {"iou": label + pred - both, "accuracy": label, "dice": (label + pred) / 2, "precision": pred}
    return {
        name: np.divide(both, divisor, out=np.full(len(both), np.nan), where=divisor > 0)
        for name, divisor in divisors.items()
    }


def average(shares: Shares, absent_as_zero: bool = False) -> float:
    """Mean of the classes' shares; NaN ones are left out, or count as 0."""
    kept = np.nan_to_num(shares) if absent_as_zero else shares[~np.isnan(shares)]
    return float(kept.mean()) if kept.size else math.nan
