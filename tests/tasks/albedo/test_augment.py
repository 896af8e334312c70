"""Augmentation for albedo: repeatable, at the network's size, light untouched, refused pictures."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import augment_recipe, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_geometry import Framing
from sapiens.tasks.albedo.augment import AugmentConfig, augment
from sapiens.tasks.albedo.data import fit, targets

STILL = AugmentConfig(Framing(scale_share=0.0, crop_share=0.0, flip=0.0), noise=0.0)


def run(sample, config=None, seed=0, compat="default", size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw, compat))


@pytest.mark.parametrize("seed", range(10))
def test_augment__repeatable_and_usable(seed):
    first, second = run(scene(), seed=seed), run(scene(), seed=seed)
    assert same(first, second)
    assert first.size_hw == (64, 48)
    assert set(first.fields) == {"albedo", "mask"}
    assert targets(first, augment_recipe())["albedo"].shape == (3, 64, 48)


def test_augment__nothing_drawn_is_what_prediction_sees():
    still, fitted = run(scene(), STILL), fit(scene(), augment_recipe())
    np.testing.assert_array_equal(still.image, fitted.image)
    np.testing.assert_array_equal(still.fields["albedo"], fitted.fields["albedo"])


def test_augment__colour_of_picture_and_albedo_stay_together():
    sample = scene((64, 48))
    sample = dataclasses.replace(sample, image=np.rint(sample.fields["albedo"] * 255).astype(np.uint8))
    for seed in range(10):
        view = run(sample, AugmentConfig(noise=0.0), seed)
        mask = view.fields["mask"]
        np.testing.assert_allclose(view.image[mask] / 255, view.fields["albedo"][mask], atol=2 / 255)


def test_augment__nan_are_not_spread():
    sample = scene()
    sample.fields["albedo"][50:60, 40:50] = np.nan
    for seed in range(6):
        view = run(sample, seed=seed)
        assert np.isfinite(view.fields["albedo"]).all()
        assert targets(view, augment_recipe())["albedo"].isfinite().all()


@pytest.mark.parametrize(
    ("word", "change", "says"),
    [
        ("one colour", {"albedo": np.full((64, 48, 3), 0.5, np.float32)}, "albedo of one colour"),
        ("empty", {"mask": np.zeros((64, 48), bool)}, "0 known pixels are left; at least 16"),
        ("full", {"mask": np.ones((64, 48), bool)}, "100.0 % of the pixels are known; at most 96 %"),
    ],
)
def test_augment__refused(word, change, says):
    sample = scene((64, 48))
    sample.fields.update(change)
    with pytest.raises(InputError) as caught:
        run(sample, STILL)
    assert says in str(caught.value), word


def test_augment__full_mask_on_request():
    sample = scene((64, 48))
    sample.fields["mask"] = np.ones((64, 48), bool)
    assert run(sample, dataclasses.replace(STILL, largest_share=1.0)).fields["mask"].all()
