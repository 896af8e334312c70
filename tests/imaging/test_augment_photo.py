"""Augmentations of pixels: ranges, determinism, and cases worked out by hand."""

import numpy as np
import pytest

from sapiens.imaging import augment_photo as photo
from sapiens.imaging.augment_photo import Photometric

RNG = np.random.default_rng(1)
PICTURE = RNG.integers(0, 256, (40, 30, 3), dtype=np.uint8)
SMOOTH = np.tile(np.linspace(40, 200, 30).astype(np.uint8)[None, :, None], (40, 1, 3))
DRAWN = {
    "distort": lambda image, rng: photo.distort(image, rng, Photometric()),
    "gaussian_blur": photo.gaussian_blur,
    "box_blur": photo.box_blur,
    "median_blur": photo.median_blur,
    "add_noise": photo.add_noise,
    "compress": photo.compress,
    "lose_detail": photo.lose_detail,
    "drop_out": photo.drop_out,
}


@pytest.mark.parametrize("name", DRAWN)
def test_all__same_seed_same_picture(name):
    before = PICTURE.copy()
    first, second = (DRAWN[name](PICTURE, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(PICTURE, before)
    assert first.dtype == np.uint8
    assert first.shape == PICTURE.shape


@pytest.mark.parametrize("name", DRAWN)
def test_all__seeds_differ(name):
    assert len({DRAWN[name](PICTURE, np.random.default_rng(seed)).tobytes() for seed in range(8)}) > 1


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (200, 3)], ids=str)
def test_all__any_size(name, size_hw):
    image = np.full((*size_hw, 3), 90, np.uint8)
    assert DRAWN[name](image, np.random.default_rng(0)).shape == image.shape


def only(**change):
    """Settings in which one step always happens, with a value that is known."""
    neutral = {"brightness": 0.0, "contrast": (1.0, 1.0), "saturation": (1.0, 1.0), "hue": 0, "step": 1.0}
    return Photometric(**neutral | change)


def test_distort__nothing():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    np.testing.assert_array_equal(photo.distort(grey, np.random.default_rng(0), only()), grey)
    np.testing.assert_array_equal(photo.distort(PICTURE, np.random.default_rng(0), Photometric(share=0.0)), PICTURE)
    np.testing.assert_array_equal(photo.distort(PICTURE, np.random.default_rng(0), Photometric(step=0.0)), PICTURE)


def test_distort__contrast_multiplies_cuts_and_truncates():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    got = photo.distort(grey, np.random.default_rng(0), only(contrast=(1.25, 1.25)))
    np.testing.assert_array_equal(got[0, :, 0], np.minimum(1.25 * np.arange(256), 255).astype(np.uint8))


def test_distort__brightness_stays_within_its_range():
    grey = np.full((1, 1, 3), 128, np.uint8)
    levels = [photo.distort(grey, np.random.default_rng(s), only(brightness=32.0))[0, 0, 0] for s in range(300)]
    assert 96 <= min(levels) < 100
    assert 156 < max(levels) <= 160


def test_distort__saturation_zero_is_grey():
    got = photo.distort(PICTURE, np.random.default_rng(0), only(saturation=(0.0, 0.0)))
    assert np.ptp(got, axis=-1).max() == 0


def test_distort__hue_turns_red_both_ways():
    red = np.array([[[255, 0, 0]]], np.uint8)
    turned = {tuple(photo.distort(red, np.random.default_rng(s), only(hue=18))[0, 0]) for s in range(200)}
    assert all(colour[0] == 255 for colour in turned)
    assert any(colour[1] > 100 for colour in turned)
    assert any(colour[2] > 100 for colour in turned)
    assert len(turned) == 37


def test_distort__half_of_the_steps():
    grey = np.full((1, 1, 3), 128, np.uint8)
    config = Photometric(contrast=(1.0, 1.0), saturation=(1.0, 1.0), hue=0)
    changed = [photo.distort(grey, np.random.default_rng(s), config)[0, 0, 0] != 128 for s in range(1000)]
    assert 0.42 < np.mean(changed) < 0.55


def test_draw_distortion__same_change_for_several_pictures():
    apply = photo.draw_distortion(np.random.default_rng(3), Photometric())
    np.testing.assert_array_equal(apply(PICTURE)[:10], apply(PICTURE[:10]))


def test_gaussian_blur__keeps_flat_and_lowers_contrast():
    flat = np.full((9, 9, 3), 77, np.uint8)
    np.testing.assert_array_equal(photo.gaussian_blur(flat, RNG), flat)
    assert photo.gaussian_blur(PICTURE, RNG, (1.0, 1.0)).std() < 0.8 * PICTURE.std()


def test_median_blur__removes_a_speck():
    speck = np.full((9, 9, 3), 50, np.uint8)
    speck[4, 4] = 255
    assert (photo.median_blur(speck, RNG) == 50).all()


def test_add_noise__variance_and_mean():
    flat = np.full((200, 200, 3), 128, np.uint8)
    noise = photo.add_noise(flat, np.random.default_rng(0), (16.0, 16.0)).astype(float) - 128
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize(("level", "want"), [(0, 0), (127, 127), (128, 127), (255, 0)])
def test_solarise(level, want):
    assert (photo.solarise(np.full((2, 2, 3), level, np.uint8)) == want).all()


def test_compress__stays_close_and_keeps_the_channels():
    coloured = np.zeros((32, 32, 3), np.uint8)
    coloured[...] = (200, 90, 30)
    assert np.abs(photo.compress(coloured, RNG).astype(int) - coloured).max() < 12


def test_lose_detail__smooth_survives_detail_does_not():
    lost = photo.lose_detail(PICTURE, np.random.default_rng(0), (0.2, 0.2))
    assert np.abs(lost.astype(int) - PICTURE).mean() > 20
    kept = photo.lose_detail(SMOOTH, np.random.default_rng(0), (0.5, 0.5))
    assert np.abs(kept.astype(int) - SMOOTH).mean() < 6


def test_drop_out__one_rectangle_of_the_drawn_size():
    white = np.full((100, 50, 3), 255, np.uint8)
    for seed in range(50):
        black = (photo.drop_out(white, np.random.default_rng(seed)) == 0).all(-1)
        rows, columns = black.any(1).sum(), black.any(0).sum()
        assert black.sum() == rows * columns
        assert 20 <= rows <= 40
        assert 10 <= columns <= 20
