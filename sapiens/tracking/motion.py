"""Where a box will be: four Kalman filters of constant velocity, for centre, width and height.

Noise is in proportion to the box's height, so that a person far away and one near by are followed alike. The model is
the usual one of tracking by detection (Bewley et al., "Simple Online and Realtime Tracking", 2016), with the time
between frames in seconds: frame rates differ, and within one clip too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vec = npt.NDArray[np.float64]

MEASURED = np.array([0.03, 0.03, 0.05, 0.05])
"""Standard deviation of a detected centre x, y, width and height, in box heights."""
PUSHED = np.array([2.0, 1.0, 1.0, 0.5])
"""Standard deviation of the acceleration of the same, in heights per second squared: people start and stop."""
UNKNOWN_SPEED = np.array([1.0, 0.5, 0.3, 0.3])
"""Standard deviation of the speed of a new box, in heights per second."""


class BoxMotion:
    """The state of one box.

    Args:
        box_xyxy: (4,) where it was first seen, in pixels.
    """

    def __init__(self, box_xyxy: npt.NDArray[np.floating]) -> None:
        self._place = _to_state(box_xyxy)
        self._speed = np.zeros(4)
        height = self._place[3]
        self._var_place = (MEASURED * height) ** 2
        self._var_speed = (UNKNOWN_SPEED * height) ** 2
        self._cov = np.zeros(4)

    @property
    def box_xyxy(self) -> Vec:
        """(4,) float64, where it is now."""
        centre, size = self._place[:2], np.maximum(self._place[2:], 1.0)
        return np.concatenate([centre - size / 2, centre + size / 2])

    def advance(self, seconds: float) -> None:
        """Move on in time; certainty fades."""
        dt, push = seconds, (PUSHED * max(self._place[3], 1.0)) ** 2
        self._place = self._place + self._speed * dt
        self._var_place = self._var_place + 2 * dt * self._cov + dt**2 * self._var_speed + push * dt**4 / 4
        self._cov = self._cov + dt * self._var_speed + push * dt**3 / 2
        self._var_speed = self._var_speed + push * dt**2

    def correct(self, box_xyxy: npt.NDArray[np.floating]) -> None:
        """Take in where it was seen."""
        seen = _to_state(box_xyxy)
        total = self._var_place + (MEASURED * max(seen[3], 1.0)) ** 2
        gain_place, gain_speed = self._var_place / total, self._cov / total
        surprise = seen - self._place
        self._place = self._place + gain_place * surprise
        self._speed = self._speed + gain_speed * surprise
        self._var_speed = self._var_speed - gain_speed * self._cov
        self._cov = self._cov * (1 - gain_place)
        self._var_place = self._var_place * (1 - gain_place)

    def hold(self) -> None:
        """Forget the speed of growth: a box that is not seen keeps its size."""
        self._speed[2:] = 0.0


def _to_state(box_xyxy: npt.NDArray[np.floating]) -> Vec:
    box = np.asarray(box_xyxy, np.float64)
    size = np.maximum(box[2:] - box[:2], 1.0)
    return np.concatenate([(box[:2] + box[2:]) / 2, size])
