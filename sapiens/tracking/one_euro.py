"""Steady keypoints: the One-Euro filter (Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012), per person and point.

It is a low-pass whose cutoff rises with speed: still points are steadied, fast ones barely delayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Smoothness:
    """Settings of the filter.

    Attributes:
        min_cutoff_hz: cutoff for a point at rest; lower is steadier and slower.
        beta: how much the cutoff rises, in Hz, per person height a second.
        speed_cutoff_hz: cutoff of the speed that is measured for it.
    """

    min_cutoff_hz: float = 1.0
    beta: float = 8.0
    speed_cutoff_hz: float = 1.0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("min_cutoff_hz", self.min_cutoff_hz, 1e-6),
            ("beta", self.beta, 0.0),
            ("speed_cutoff_hz", self.speed_cutoff_hz, 1e-6),
        ):
            if not (math.isfinite(value) and value >= least):
                raise InputError(f"smoothing: {name} {value}: expected a number of at least {least:g}")


class OneEuro:
    """The filter of one person's points. Times must rise.

    A point that is NaN stays NaN, and starts anew when it is back.
    """

    def __init__(self, smoothness: Smoothness = Smoothness()) -> None:
        self._set = smoothness
        self._raw: Points | None = None
        self._smooth: Points | None = None
        self._speed: Points | None = None
        self.time_s = -math.inf

    def __call__(self, points: npt.NDArray[np.floating], time_s: float, scale: float) -> Points:
        """Smooth the points of the next frame.

        Args:
            points: (K, 2) pixels.
            time_s: of the frame.
            scale: the person's height in pixels, by which speeds are measured.

        Returns:
            (K, 2) float64 pixels.
        """
        now = np.asarray(points, np.float64)
        step = time_s - self.time_s
        if self._raw is None or self._smooth is None or self._speed is None or step <= 0:
            self._raw, self._smooth, self._speed, self.time_s = now, now.copy(), np.zeros_like(now), time_s
            return now.copy()
        new = ~np.isfinite(self._smooth) | ~np.isfinite(now)
        speed = np.where(new, 0.0, (now - self._raw) / step)
        self._speed += _weight(self._set.speed_cutoff_hz, step) * (speed - self._speed)
        # One cutoff per point, not per axis: which way the camera is turned must not matter.
        pace = np.linalg.norm(self._speed, axis=-1, keepdims=True) / max(scale, 1.0)
        weight = _weight(self._set.min_cutoff_hz + self._set.beta * pace, step)
        smooth = np.where(new, now, self._smooth + weight * (now - self._smooth))
        self._raw, self._smooth, self.time_s = now, smooth, time_s
        return smooth.copy()


def _weight(cutoff_hz: npt.ArrayLike, step_s: float) -> Points:
    """Weight of the new value in an exponential filter of a cutoff."""
    turn = 2 * math.pi * np.asarray(cutoff_hz, np.float64) * step_s
    return np.asarray(turn / (turn + 1))


@dataclass
class SmoothingReport:
    """Jitter before and after, and lag; in numbers that add up over frames and people.

    Jitter is the root mean square of the second difference over sqrt(6), in pixels: for noise that is new in every
    frame, its standard deviation, whatever steady motion is below it. Lag is the time by which the smoothed points
    trail the given ones, by least squares over their motion.
    """

    _sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("n", "raw", "smooth", "back", "way"), 0.0))
    _last: dict[int, list[tuple[float, Points, Points]]] = field(default_factory=dict)

    def add(self, person: int, time_s: float, raw: npt.NDArray[np.floating], smooth: Points) -> None:
        """Take in one person's points (K, 2) of a frame, before and after."""
        seen = self._last.setdefault(person, [])
        seen.append((time_s, np.asarray(raw, np.float64), smooth))
        if len(seen) < 3:
            return
        (t0, r0, s0), (_, r1, s1), (t2, r2, s2) = seen
        fine = np.isfinite(r0 + r1 + r2).all(-1)
        raw_bend, smooth_bend = (r0 - 2 * r1 + r2)[fine], (s0 - 2 * s1 + s2)[fine]
        speed = ((s2 - s0) / (t2 - t0))[fine]
        for name, value in (
            ("n", float(raw_bend.size)),
            ("raw", float((raw_bend**2).sum())),
            ("smooth", float((smooth_bend**2).sum())),
            ("back", float((speed * (r1 - s1)[fine]).sum())),
            ("way", float((speed**2).sum())),
        ):
            self._sums[name] += value
        del seen[0]

    def drop(self, person: int) -> None:
        """Forget where a person was last, who is gone."""
        self._last.pop(person, None)

    @property
    def jitter_before_px(self) -> float:
        """Of the given points."""
        return math.sqrt(self._sums["raw"] / (6 * self._sums["n"])) if self._sums["n"] else 0.0

    @property
    def jitter_after_px(self) -> float:
        """Of the smoothed points."""
        return math.sqrt(self._sums["smooth"] / (6 * self._sums["n"])) if self._sums["n"] else 0.0

    @property
    def lag_s(self) -> float:
        """Seconds; 0 where nothing moved."""
        return self._sums["back"] / self._sums["way"] if self._sums["way"] else 0.0

    def __str__(self) -> str:
        return (
            f"jitter {self.jitter_before_px:.2f} px before, {self.jitter_after_px:.2f} px after; "
            f"lag {1000 * self.lag_s:.0f} ms"
        )
