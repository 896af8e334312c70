"""Steady keypoints: less jitter at rest, little lag in motion, and both as reported."""

import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.synth import render_clip
from sapiens.tracking.one_euro import OneEuro, SmoothingReport, Smoothness

FPS = 30.0


def run(points, height: float, fps: float = FPS, smoothness: Smoothness = Smoothness()):  # noqa: B008 - frozen
    """Smoothed (T, K, 2) points and the report."""
    steady, report, out = OneEuro(smoothness), SmoothingReport(), []
    for t, now in enumerate(points):
        smooth = steady(now, t / fps, height)
        report.add(1, t / fps, now, smooth)
        out.append(smooth)
    return np.array(out), report


def still(frames: int = 300, noise: float = 2.0) -> np.ndarray:
    return 100 + np.random.default_rng(0).normal(0, noise, (frames, 20, 2))


def moving(frames: int = 300, speed: float = 120.0, noise: float = 2.0) -> np.ndarray:
    """Pixels a second to the right."""
    way = np.arange(frames)[:, None, None] * speed / FPS * np.array([1.0, 0.0])
    return way + still(frames, noise)


def test_still__jitter_falls_and_is_reported() -> None:
    smooth, report = run(still(), 200)
    assert report.jitter_before_px == pytest.approx(2.0, rel=0.05)
    assert report.jitter_after_px < 0.25 * report.jitter_before_px
    bend = smooth[2:] - 2 * smooth[1:-1] + smooth[:-2]
    assert report.jitter_after_px == pytest.approx(np.sqrt((bend**2).mean() / 6), rel=0.01)
    assert np.abs(smooth[60:].mean((0, 1)) - 100).max() < 0.3


def test_moving__lag_is_small_and_reported() -> None:
    smooth, report = run(moving(), 200)
    behind_px = (moving(noise=0.0) - smooth)[60:, :, 0].mean()
    assert report.lag_s == pytest.approx(behind_px / 120.0, abs=0.012)
    assert 0 < report.lag_s < 0.06
    assert report.jitter_after_px < 0.6 * report.jitter_before_px


def test_moving__faster_means_less_lag() -> None:
    lags = [run(moving(speed=speed, noise=0.0), 200)[1].lag_s for speed in (20, 100, 400)]
    assert lags[0] > lags[1] > lags[2] > 0


def test_smoother__costs_lag() -> None:
    calm, lively = (run(moving(), 200, smoothness=Smoothness(hz))[1] for hz in (0.3, 3.0))
    assert calm.jitter_after_px < lively.jitter_after_px
    assert calm.lag_s > lively.lag_s


def test_size__does_not_matter_but_for_scale() -> None:
    """A person twice as large on the screen is steadied alike."""
    small, _ = run(moving(60), 100)
    large, _ = run(2 * moving(60), 200)
    assert np.allclose(2 * small, large)


def test_rendered_people__closer_to_the_truth_than_the_noisy_points() -> None:
    clip = render_clip(1, 40, (64, 48), fps=20)
    truth = clip.keypoints_xy[:, 0].numpy().astype(np.float64) * 8
    noisy = truth + np.random.default_rng(1).normal(0, 4, truth.shape)
    smooth, report = run(noisy, 400, fps=20)
    before, after = (np.sqrt(((p - truth)[10:] ** 2).mean()) for p in (noisy, smooth))
    assert after < 0.85 * before
    assert report.jitter_after_px < 0.6 * report.jitter_before_px


def test_missing_points__stay_missing_and_start_anew() -> None:
    points = still(10)
    points[4:6, 3] = np.nan
    points[6:, 3] += 500
    smooth, report = run(points, 200)
    assert np.isnan(smooth[4:6, 3]).all()
    assert np.allclose(smooth[6, 3], points[6, 3])
    assert np.isfinite(np.delete(smooth, 3, axis=1)).all()
    assert np.isfinite([report.jitter_before_px, report.jitter_after_px, report.lag_s]).all()


def test_first_frame_and_repeated_times_pass_through() -> None:
    steady, points = OneEuro(), still(3)
    assert np.array_equal(steady(points[0], 1.0, 200), points[0])
    assert np.array_equal(steady(points[1], 1.0, 200), points[1])


@pytest.mark.parametrize("settings", [(0.0,), (1.0, -1.0), (float("nan"),), (1.0, 1.0, 0.0)])
def test_smoothness__refused(settings) -> None:
    with pytest.raises(InputError, match="expected a number of at least"):
        Smoothness(*settings)


def test_report__empty() -> None:
    report = SmoothingReport()
    assert (report.jitter_before_px, report.jitter_after_px, report.lag_s) == (0.0, 0.0, 0.0)
    assert str(report) == "jitter 0.00 px before, 0.00 px after; lag 0 ms"
