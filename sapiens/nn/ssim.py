"""Structural similarity of two pictures within a mask."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

WINDOW, SIGMA = 11, 1.5
LEAST_COVER = 0.5
"""Windows count where more than this of their weight lies within the mask."""

Floats = npt.NDArray[np.floating[Any]]


def ssim_sum(pred: Floats, target: Floats, mask: npt.NDArray[np.bool_], data_range: float = 1.0) -> tuple[float, int]:
    """Sum of the similarity over windows, and their number.

    Gaussian windows of 11 pixels and sigma 1.5, zeros beyond the edge, divided by the weight that the mask leaves;
    C1 = (0.01 R)^2, C2 = (0.03 R)^2; mean over channels. A window counts where more than half of its weight is valid,
    whether its centre is or not.

    Args:
        pred, target: (H, W, C).
        mask: (H, W) bool; what lies outside has no influence.
        data_range: R, the span of the values.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, equation 13.
    """
    valid = mask.astype(np.float64)
    cover = _blur(valid)
    counted = cover > LEAST_COVER
    weight = np.where(counted, cover, 1)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    total, channels = 0.0, pred.shape[2]
    # One channel at a time: half a dozen maps of a large picture in float64 are enough.
    for channel in range(channels):
        x, y = (np.where(mask, values[..., channel], 0).astype(np.float64) for values in (pred, target))
        mean_x, mean_y = _blur(x) / weight, _blur(y) / weight
        variance_x, variance_y = _blur(x * x) / weight - mean_x**2, _blur(y * y) / weight - mean_y**2
        covariance = _blur(x * y) / weight - mean_x * mean_y
        value = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        value /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
        total += float(value[counted].sum())
    return total / channels, int(counted.sum())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA, sigmaY=SIGMA, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, np.float64)
