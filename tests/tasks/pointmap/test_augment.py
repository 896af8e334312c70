"""Augmentation for point maps: repeatable, at the network's size, points that stay on their rays, refused pictures."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import augment_recipe, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_geometry import Framing
from sapiens.imaging.augment_photo import Photometric
from sapiens.tasks.pointmap.augment import AugmentConfig, augment
from sapiens.tasks.pointmap.data import targets

STILL = AugmentConfig(Photometric(share=0.0), Framing(scale_share=0.0, crop_share=0.0, flip=0.0))


def run(sample, config=None, seed=0, compat="default", size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw, compat))


@pytest.mark.parametrize("compat", ["default", "reference"])
@pytest.mark.parametrize("seed", range(8))
def test_augment__repeatable_and_usable(seed, compat):
    first, second = run(scene(), seed=seed, compat=compat), run(scene(), seed=seed, compat=compat)
    assert same(first, second)
    np.testing.assert_array_equal(first.extra["intrinsics"], second.extra["intrinsics"])
    assert first.size_hw == (64, 48)
    assert set(first.fields) == {"depth_m", "mask"}
    assert set(np.unique(first.fields["depth_m"])) <= set(np.unique(scene().fields["depth_m"])) | {0}
    assert targets(first, augment_recipe())["points"].shape == (3, 64, 48)


def test_augment__metric_points_stay_where_they_were():
    """A flat wall at 2 m, seen through any view, lies within the part of it that the whole picture shows."""
    sample = scene((240, 180))
    sample.fields["depth_m"][:] = 2
    wall = targets(run(sample, STILL, size_hw=(128, 96)), augment_recipe(size_hw=(128, 96)))
    whole = (wall["points"] / wall["scale"][0])[:, wall["mask"]]
    for seed in range(15):
        config = dataclasses.replace(STILL, framing=Framing(1.0, crop_share=1.0, flip=0.0))
        view = targets(run(sample, config, seed, size_hw=(128, 96)), augment_recipe(size_hw=(128, 96)))
        points = (view["points"] / view["scale"][0])[:, view["mask"]]
        assert (points.min(1).values >= whole.min(1).values - 0.03).all()
        assert (points.max(1).values <= whole.max(1).values + 0.03).all()
        np.testing.assert_allclose(points[2], 2, rtol=1e-5)


def test_augment__flip_negates_x():
    flipped = run(scene((64, 48)), AugmentConfig(Photometric(share=0.0), Framing(0.0, crop_share=0.0, flip=1.0)))
    points, plain = (targets(s, augment_recipe())["points"] for s in (flipped, run(scene((64, 48)), STILL)))
    np.testing.assert_allclose(points[0], -plain[0].flip(-1), atol=1e-5)
    np.testing.assert_allclose(points[1:], plain[1:].flip(-1), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_augment__unknown_depth_leaves_the_mask(value):
    sample = scene()
    sample.fields["depth_m"][50:70] = value
    view = run(sample, STILL)
    assert np.isfinite(view.fields["depth_m"][view.fields["mask"]]).all()
    assert targets(view, augment_recipe())["points"].isfinite().all()


@pytest.mark.parametrize(
    ("word", "mask", "says"),
    [
        ("nine", np.pad(np.ones((3, 3), bool), ((0, 61), (0, 45))), "9 known pixels are left; at least 10"),
        ("fifteen", np.pad(np.ones((3, 5), bool), ((0, 61), (0, 43))), "15 known pixels are left; at least 16"),
        ("full", np.ones((64, 48), bool), "100.0 % of the pixels are known; at most 96 %"),
    ],
)
def test_augment__refused_masks(word, mask, says):
    sample = scene((64, 48))
    sample.fields["mask"] = mask
    with pytest.raises(InputError) as caught:
        run(sample, STILL)
    assert says in str(caught.value), word


def test_augment__too_close():
    sample = scene((64, 48))
    sample.fields["depth_m"] *= 0.0005
    with pytest.raises(InputError, match=r"canonical depth of 0\.0.*; expected at least 0\.04"):
        run(sample, STILL)


def test_augment__no_camera():
    with pytest.raises(InputError, match="scene0: points need the camera"):
        run(dataclasses.replace(scene(), extra={}))
