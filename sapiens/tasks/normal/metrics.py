"""How far predicted surface normals are from the true ones, in degrees over all known pixels of a set.

| name | meaning |
|---|---|
| mean_deg, median_deg, rmse_deg | of the angles |
| percent_below_5_deg, 7.5, 11.25, 22.5, 30 | pixels whose angle is strictly smaller |
"""

from __future__ import annotations

import numpy as np

from sapiens.imaging.sample import Sample
from sapiens.nn.angles import SHORTEST, add_angles, angle_numbers, angles_deg
from sapiens.tasks.base import Result
from sapiens.tasks.measuring import SumMetrics, annotation, check_finite, expect, known_mask
from sapiens.tasks.normal.result import NormalResult


class Metrics(SumMetrics):
    """Angles between normals; see the table above.

    Pixels count where the sample's mask says so and its normal has a length. compat="reference" reads the median from
    bins of 0.5 degrees.
    """

    def update(self, result: Result, sample: Sample) -> float:
        """Add one picture; returns its mean angle in degrees, NaN if it has no known pixel.

        Raises:
            InputError: no "normals", another size, or NaN where it counts.
        """
        pred = expect(result, NormalResult, sample).to_opengl().normals
        target = annotation(sample, "normals")
        known = known_mask(sample) & ~(np.linalg.norm(target, axis=-1) <= SHORTEST)
        check_finite(sample, true_normals=target[known], predicted_normals=pred[known])
        angles = angles_deg(pred[known], target[known])
        add_angles(self.sums, angles)
        return float(angles.mean()) if len(angles) else float("nan")

    def compute(self) -> dict[str, float]:
        """The numbers of the table; NaN if no pixel was known."""
        return angle_numbers(self.sums, reference=self.reference)
