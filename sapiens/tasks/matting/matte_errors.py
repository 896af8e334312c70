"""Gradient and connectivity error of mattes.

Source: Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", 2009, with the settings in use
since: derivatives of Gaussians of sigma 1.4, cut at 1 % and scaled to unit energy; connectivity in steps of 0.1 with a
threshold of 0.15. Both are sums over pixels divided by 1000.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIGMA = 1.4
CUT = 0.01
STEPS = 10
TOLERATED = 0.15
UNIT = 1000

Alpha = npt.NDArray[np.floating[Any]]
Wide = npt.NDArray[np.float64]


def gradient_error(pred: Alpha, target: Alpha) -> float:
    """Sum of the squared differences between the lengths of both gradients, / 1000; (H, W) in 0..1."""
    difference = gradient_length(pred) - gradient_length(target)
    return float(np.square(difference).sum()) / UNIT


def gradient_length(alpha: Alpha) -> Wide:
    """(H, W): length of the Gaussian gradient, edges repeated."""
    across = _kernel()
    wide = np.asarray(alpha, np.float64)
    gx, gy = (cv2.filter2D(wide, cv2.CV_64F, k, borderType=cv2.BORDER_REPLICATE) for k in (across, across.T))
    length: Wide = np.hypot(gx, gy)
    return length


def _kernel() -> Wide:
    """Derivative along x of a Gaussian, 9x9, with squares that sum to 1."""
    half = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * CUT)))
    at = np.arange(-half, half + 1)
    bell = np.exp(-(at**2) / (2 * SIGMA**2))
    kernel = np.outer(bell, at * bell)
    normed: Wide = kernel / np.linalg.norm(kernel)
    return normed


def connectivity_error(pred: Alpha, target: Alpha) -> float:
    """Sum of the differences in connectedness to the source region, / 1000; (H, W) in 0..1.

    The source at a threshold is the largest region, neighbours being four, where both mattes reach it. A pixel's level
    is the highest threshold up to which it belongs to the source, and its connectedness 1 - d, where d is how far alpha
    lies above its level, or 0 if that is below 0.15.
    """
    mine, true = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    level = np.full(true.shape, -1.0)
    for step in range(1, STEPS + 1):
        # What an 8-bit matte of level k / 10 stands for must reach k / 10 whatever the rounding.
        source = largest_region(np.minimum(mine, true) >= step / STEPS - 1e-9)
        level[(level == -1) & ~source] = (step - 1) / STEPS
    level[level == -1] = 1
    connected = [1 - above * (above >= TOLERATED - 1e-9) for above in (mine - level, true - level)]
    return float(np.abs(connected[0] - connected[1]).sum()) / UNIT


def largest_region(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected region of a mask, the first of several; nothing if there is none."""
    count, regions, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros(mask.shape, bool)
    return np.asarray(regions == 1 + int(table[1:, cv2.CC_STAT_AREA].argmax()))
