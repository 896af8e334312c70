import numpy as np
import pytest

from sapiens.nn.ssim import SIGMA, WINDOW, ssim_sum

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.random((24, 20, 3))
EVERYWHERE = np.ones((24, 20), bool)


def test_ssim__of_a_picture_with_itself_is_1():
    total, windows = ssim_sum(PICTURE, PICTURE, EVERYWHERE)
    assert total / windows == pytest.approx(1)
    # A window on an edge has half of its weight inside, and a little more: its middle row. A corner has a quarter.
    assert 0 < EVERYWHERE.size - windows < 60


def test_ssim__constant_pictures_by_hand():
    total, windows = ssim_sum(np.full((30, 30, 1), 0.5), np.full((30, 30, 1), 0.6), np.ones((30, 30), bool))
    assert total / windows == pytest.approx((2 * 0.3 + 1e-4) / (0.25 + 0.36 + 1e-4), rel=1e-6)


def test_ssim__every_window_by_its_definition():
    other = np.clip(PICTURE + RANDOM.normal(0, 0.1, PICTURE.shape), 0, 1)
    mask = RANDOM.random(PICTURE.shape[:2]) > 0.3
    line = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    weights = np.outer(line, line) / line.sum() ** 2
    pad = WINDOW // 2
    x, y, valid = (np.pad(a, [(pad, pad), (pad, pad)] + [(0, 0)] * (a.ndim - 2)) for a in (PICTURE, other, mask))
    values = []
    for row in range(PICTURE.shape[0]):
        for column in range(PICTURE.shape[1]):
            window = slice(row, row + WINDOW), slice(column, column + WINDOW)
            weight = (weights * valid[window])[..., None]
            if weight.sum() > 0.5:
                weight = weight / weight.sum()
                mx, my = (weight * x[window]).sum((0, 1)), (weight * y[window]).sum((0, 1))
                dx, dy = x[window] - mx, y[window] - my
                vx, vy, cov = ((weight * product).sum((0, 1)) for product in (dx * dx, dy * dy, dx * dy))
                ssim = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
                values.append(ssim.mean())
    total, windows = ssim_sum(PICTURE, other, mask)
    assert windows == len(values)
    assert total == pytest.approx(sum(values), rel=1e-6)


def test_ssim__outside_of_the_mask_has_no_influence():
    mask = np.zeros((24, 20), bool)
    mask[4:18, 3:15] = True
    wrong = np.where(mask[..., None], PICTURE, np.nan)
    assert ssim_sum(wrong, PICTURE, mask)[0] == pytest.approx(ssim_sum(PICTURE, PICTURE, mask)[0])
    assert ssim_sum(PICTURE, PICTURE, np.zeros((24, 20), bool)) == (0.0, 0)


def test_ssim__range_scales_with_the_values():
    noisy = PICTURE + 0.05
    assert ssim_sum(PICTURE * 255, noisy * 255, EVERYWHERE, 255)[0] == pytest.approx(
        ssim_sum(PICTURE, noisy, EVERYWHERE)[0]
    )
