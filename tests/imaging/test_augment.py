"""Chance, kept annotations and refused pictures."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import scene

from sapiens.errors import InputError
from sapiens.imaging.augment import check_settings, happens, keep, require_pixels, restrict_mask, uniform
from sapiens.imaging.augment_photo import Photometric


@pytest.mark.parametrize(("share", "want"), [(0.0, 0), (1.0, 1000), (0.3, 300)])
def test_happens__in_its_share(share, want):
    rng = np.random.default_rng(0)
    assert abs(sum(happens(rng, share) for _ in range(1000)) - want) <= 50 * (0 < share < 1)


def test_uniform__within_bounds_and_a_point():
    rng = np.random.default_rng(0)
    drawn = [uniform(rng, (0.4, 2.0)) for _ in range(500)]
    assert 0.4 <= min(drawn) < 0.45
    assert 1.95 < max(drawn) <= 2.0
    assert uniform(rng, (3.0, 3.0)) == 3.0


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("share above 1", {"share": 1.5}, "share is a share of the pictures, in 0..1; got 1.5"),
        ("negative", {"step": -0.1}, "step is a share"),
        ("NaN", {"share": float("nan")}, "share is a share"),
        ("dark", {"brightness": -1.0}, "brightness must lie in 0..255 and hue in 0..90; got -1.0 and 18"),
        ("falls", {"contrast": (1.5, 0.5)}, "contrast is a range from small to large"),
        ("infinite", {"saturation": (0.0, float("inf"))}, "saturation is a range"),
    ],
)
def test_check_settings(word, change, says):
    with pytest.raises(InputError) as caught:
        dataclasses.replace(Photometric(), **change)
    assert says in str(caught.value), word
    check_settings(Photometric(), ("share",), ("contrast",))


def test_keep__named_annotations_alone():
    kept = keep(scene(), "alpha", also=("foreground", "mask"))
    assert set(kept.fields) == {"alpha", "foreground", "mask"}
    assert kept.extra["subject"] == 3


def test_keep__missing_annotation():
    sample = scene()
    sample.fields.pop("normals")
    with pytest.raises(InputError, match="scene0: has no normals, which this task learns"):
        keep(sample, "normals")


def test_require_pixels():
    sample = scene()
    count, size = int(sample.fields["mask"].sum()), sample.fields["mask"].size
    assert require_pixels(sample, count, count / size) is sample
    with pytest.raises(InputError, match=f"scene0: {count} known pixels are left; at least {count + 1}"):
        require_pixels(sample, count + 1)
    with pytest.raises(InputError, match="of the pixels are known; at most 10 % may be"):
        require_pixels(sample, 1, 0.1)


def test_restrict_mask():
    sample = scene()
    known = np.zeros(sample.size_hw, bool)
    known[:60] = True
    np.testing.assert_array_equal(restrict_mask(sample, known).fields["mask"], sample.fields["mask"] & known)
