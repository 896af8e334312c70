"""How far predicted points are from the true ones, over all known pixels of a set.

| name | meaning |
|---|---|
| l2_m, rmse_m | mean distance in metres; square root of the mean squared distance |
| x_mae_m, y_mae_m, z_mae_m | mean absolute error along an axis |
| within_5_cm, within_10_cm, within_20_cm | share of points whose distance is strictly smaller |
| abs_rel | mean of \\|z - z*\\| / z* |
| delta_1.25, delta_1.25^2, delta_1.25^3 | share of pixels with max(z / z*, z* / z) below that |
| X_aligned | the same after each picture's points were multiplied by one number: the least squares scale |
| scale_error | mean over pictures of \\|ln scale\\| of that number: 0.1 is a person 10 % too near or too far |
| focal_error | mean over pictures of the relative error of the horizontal focal length; metric results only |
| normals/NAME | angles between the normals that both point maps imply; NAME as for the task normal |

compat="reference" gives the original's numbers under these names: canonical points, as the network predicts them,
against the true points at the true canonical scale, so that lengths are canonical units (768 pixels of focal length),
not metres, and the predicted scale has no influence; normals count at mask edges too, where they see the background.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.nn.angles import add_angles, angle_numbers, angles_deg
from sapiens.nn.sums import Sums, ratio
from sapiens.tasks.base import Result
from sapiens.tasks.measuring import Mask, SumMetrics, annotation, check_finite, expect, known_mask
from sapiens.tasks.pointmap.result import PointmapResult

WITHIN_CM = (5, 10, 20)
DELTAS = {"delta_1.25": 1.25, "delta_1.25^2": 1.25**2, "delta_1.25^3": 1.25**3}
NORMAL_KERNEL = 5
NOISE = 1e-6
"""Added to the length of a product of differences, as in the original."""

Points = npt.NDArray[np.floating[Any]]
Wide = npt.NDArray[np.float64]


class Metrics(SumMetrics):
    """Errors of points; see the table above.

    The truth is the sample's "depth_m" seen through its "intrinsics", (u - cx) z / fx, (v - cy) z / fy, z, with whole
    numbers at pixel centres.
    """

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its mean distance in metres, NaN if it has no known pixel.

        Raises:
            InputError: no "depth_m" or "intrinsics", another size, NaN or depth of 0 and below where it counts; or with
                compat="reference" a result without a usable scale.
        """
        found = expect(result, PointmapResult, sample)
        known = known_mask(sample)
        target, focal = true_points(sample, known)
        pred = np.asarray(found.points, np.float64)
        check_finite(sample, predicted_points=pred[known])
        if self.reference:
            pred, target = _canonical(found, pred, target, focal, sample.id)
        if not known.any():
            return math.nan
        scale = best_scale(pred[known], target[known])
        mean = add_distances(self.sums, pred[known], target[known])
        add_distances(self.sums, scale * pred[known], target[known], suffix="_aligned")
        add_normals(self.sums, pred, target, known, edges=self.reference)
        # A picture's points may be unrelated to the truth, or opposite: no scale brings them nearer.
        self.sums.add(scale_error=abs(math.log(max(scale, 1e-6))))
        self.sums.tally(pictures=1)
        if found.metric:
            self.sums.add(focal=abs(found.focal_px / focal - 1))
            self.sums.tally(cameras=1)
        return mean

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN if no pixel was known."""
        normals = angle_numbers(self.sums, reference=self.reference)
        return {
            **distance_numbers(self.sums),
            **distance_numbers(self.sums, suffix="_aligned"),
            "scale_error": self.sums.mean("scale_error", "pictures"),
            "focal_error": self.sums.mean("focal", "cameras"),
            **{f"normals/{name}": value for name, value in normals.items()},
        }


def true_points(sample: Sample, known: Mask) -> tuple[Wide, float]:
    """(H, W, 3) float64 metres, x right, y down, z forward, 0 where not known; and the horizontal focal length.

    Raises:
        InputError: no depth or camera, or depth that cannot be where it is said to be known.
    """
    depth = np.asarray(annotation(sample, "depth_m"), np.float64)
    camera = np.asarray(sample.extra.get("intrinsics", np.nan), np.float64)
    if camera.shape != (3, 3) or not np.isfinite(camera).all() or not (camera[0, 0] > 0 and camera[1, 1] > 0):
        raise InputError(f"{sample.id}: points need the camera, extra 'intrinsics' (3, 3) with positive focal lengths")
    check_finite(sample, true_depth=depth[known])
    if not (depth[known] > 0).all():
        raise InputError(f"{sample.id}: depth of 0 or below within the mask; expected metres in front of the camera")
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = [(columns - camera[0, 2]) / camera[0, 0], (rows - camera[1, 2]) / camera[1, 1], np.ones(depth.shape)]
    return np.stack(rays, -1) * np.where(known, depth, 0)[..., None], float(camera[0, 0])


def _canonical(found: PointmapResult, pred: Wide, target: Wide, focal: float, name: str) -> tuple[Wide, Wide]:
    """Both point maps in canonical units. A scale is inverse to a focal length, so that the true scale follows from the
    predicted pair."""
    if not found.metric:
        raise InputError(
            f"{name}: the scale {found.scale:.3g} is not positive; canonical points cannot be told from it"
        )
    return pred * found.scale, target * (found.scale * found.focal_px / focal)


def best_scale(pred: Wide, target: Wide) -> float:
    """The number that brings points (N, 3) nearest to others in the sense of least squares; 1 if all are 0."""
    square = float((pred * pred).sum())
    return float((pred * target).sum()) / square if square > 0 else 1.0


def add_distances(sums: Sums, pred: Wide, target: Wide, suffix: str = "") -> float:
    """Add the errors of the known points (N, 3) of a picture; returns their mean distance."""
    error = pred - target
    distance = np.linalg.norm(error, axis=-1)
    depth, true_depth = pred[:, 2], target[:, 2]
    larger = np.maximum(depth, true_depth) / np.maximum(np.minimum(depth, true_depth), 1e-9)
    floats = {
        **{axis: np.abs(error[:, k]).sum() for k, axis in enumerate("xyz")},
        "distance": distance.sum(),
        "square": np.square(distance).sum(),
        "relative": (np.abs(error[:, 2]) / true_depth).sum(),
    }
    sums.add(**{f"{name}{suffix}": float(value) for name, value in floats.items()})
    counts: dict[str, int | list[int]] = {
        "points": len(distance),
        "within": [int((distance < limit / 100).sum()) for limit in WITHIN_CM],
        "delta": [int((larger < limit).sum()) for limit in DELTAS.values()],
    }
    sums.tally(**{f"{name}{suffix}": value for name, value in counts.items()})
    return float(distance.mean()) if len(distance) else math.nan


def distance_numbers(sums: Sums, suffix: str = "") -> dict[str, float]:
    """The numbers of what `add_distances` added under this suffix."""
    points = f"points{suffix}"
    within = np.broadcast_to(sums.counts(f"within{suffix}"), len(WITHIN_CM)).tolist()
    deltas = np.broadcast_to(sums.counts(f"delta{suffix}"), len(DELTAS)).tolist()
    numbers = {
        "l2_m": sums.mean(f"distance{suffix}", points),
        "rmse_m": math.sqrt(sums.mean(f"square{suffix}", points)),
        **{f"{axis}_mae_m": sums.mean(f"{axis}{suffix}", points) for axis in "xyz"},
        "abs_rel": sums.mean(f"relative{suffix}", points),
        **{f"within_{limit}_cm": ratio(n, sums.count(points)) for limit, n in zip(WITHIN_CM, within, strict=True)},
        **{name: ratio(n, sums.count(points)) for name, n in zip(DELTAS, deltas, strict=True)},
    }
    # "l2_aligned_m": the unit stays last.
    return {_with(name, suffix): value for name, value in numbers.items()}


def _with(name: str, suffix: str) -> str:
    return f"{name.removesuffix('_m')}{suffix}_m" if name.endswith("_m") else f"{name}{suffix}"


def add_normals(sums: Sums, pred: Wide, target: Wide, known: Mask, *, edges: bool) -> None:
    """Add the angles between implied normals at known pixels.

    Args:
        sums: where to.
        pred, target: (H, W, 3) points.
        known: (H, W) bool.
        edges: also where a normal sees pixels that are not known. Only known ones are left otherwise.
    """
    if min(known.shape) < NORMAL_KERNEL:
        return
    if not edges:
        # Pixels beyond the picture count as unknown: derivatives there are made of mirrored ones.
        square = np.ones((NORMAL_KERNEL, NORMAL_KERNEL), np.uint8)
        inside = cv2.erode(known.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        known = inside.astype(bool)
    add_angles(sums, angles_deg(implied_normals(pred)[known], implied_normals(target)[known]))


def implied_normals(points: Points) -> Wide:
    """(H, W, 3): cross product of the 5x5 Sobel derivatives along x and y, divided by its length + 1e-6."""
    wide = np.asarray(points, np.float64)
    across, down = (cv2.Sobel(wide, cv2.CV_64F, *order, ksize=NORMAL_KERNEL) for order in ((1, 0), (0, 1)))
    product = np.cross(across, down)
    normals: Wide = product / (np.linalg.norm(product, axis=-1, keepdims=True) + NOISE)
    return normals
