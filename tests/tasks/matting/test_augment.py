"""Augmentation for mattes: repeatable, at the network's size, picture, alpha and foreground in step, backgrounds."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import augment_recipe, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_photo import Photometric
from sapiens.tasks.matting.augment import AugmentConfig, augment, crop_to_matte
from sapiens.tasks.matting.data import targets

STILL = AugmentConfig(
    jpeg=0.0, box=0.0, resize=(1.0, 1.0), crop=0.0, rotate=0.0, flip=0.0, photometric=Photometric(share=0.0)
)


def cut_out(size_hw=(120, 90)):
    """A person without a background."""
    sample = scene(size_hw)
    image = (sample.fields["foreground"] * 255).astype(np.uint8)
    return dataclasses.replace(sample, image=image, extra={"needs_background": 1})


def run(sample, config=None, seed=0, size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw))


@pytest.mark.parametrize("make", [scene, cut_out])
@pytest.mark.parametrize("seed", range(8))
def test_augment__repeatable_and_usable(seed, make):
    first, second = run(make(), seed=seed), run(make(), seed=seed)
    assert same(first, second)
    assert first.size_hw == (64, 48)
    assert set(first.fields) == {"alpha", "foreground"}
    assert "needs_background" not in first.extra
    assert targets(first, augment_recipe())["mask"].all()


@pytest.mark.parametrize("seed", range(12))
def test_augment__foreground_is_the_picture_where_it_is_opaque(seed):
    view = run(scene((240, 180)), AugmentConfig(jpeg=0.0), seed)
    opaque = view.fields["alpha"] > 0.9999
    difference = np.abs(view.image / 255 - view.fields["foreground"])[opaque]
    assert opaque.any()
    assert np.quantile(difference, 0.97) < 0.03
    assert (view.fields["foreground"][view.fields["alpha"] == 0] == 0).all()


def test_augment__without_foreground_the_picture_is_the_source():
    sample = scene()
    sample.fields.pop("foreground")
    view = run(sample, seed=2)
    assert set(view.fields) == {"alpha"}
    assert targets(view, augment_recipe())["foreground"].shape == (3, 64, 48)


def test_augment__made_up_backgrounds_without_a_folder():
    sample = cut_out((64, 48))
    first, second = (run(sample, STILL, seed) for seed in (0, 1))
    empty = sample.fields["alpha"] == 0
    assert (first.image[empty] != second.image[empty]).mean() > 0.9
    solid = sample.fields["alpha"] == 1
    np.testing.assert_allclose(first.image[solid].astype(int), sample.image[solid], atol=1)


def test_augment__own_background_stays():
    sample = scene((64, 48))
    np.testing.assert_array_equal(run(sample, STILL).image, sample.image)
    other = run(sample, dataclasses.replace(STILL, background=1.0)).image
    assert (other[sample.fields["alpha"] == 0] != sample.image[sample.fields["alpha"] == 0]).mean() > 0.9


def test_augment__rotation_brings_in_white():
    view = run(scene((64, 64)), dataclasses.replace(STILL, rotate=1.0), seed=1, size_hw=(64, 64))
    assert view.image[0, 0].min() == 255
    assert view.fields["alpha"][0, 0] == 0


def test_augment__flip():
    sample = scene((64, 48))
    flipped = run(sample, dataclasses.replace(STILL, flip=1.0))
    np.testing.assert_array_equal(flipped.image, sample.image[:, ::-1])
    np.testing.assert_array_equal(flipped.fields["alpha"], sample.fields["alpha"][:, ::-1])


@pytest.mark.parametrize("padding", [0.0, 0.1])
def test_crop_to_matte__box_and_aspect(padding):
    sample = scene((200, 150))
    sample.fields["alpha"][:] = 0
    sample.fields["alpha"][80:100, 20:80] = 1
    part = crop_to_matte(sample, padding)
    rim = round(60 * padding)
    width = 60 + 2 * rim
    assert part.size_hw == (round(width * 200 / 150), width)
    rows, columns = (np.flatnonzero(part.fields["alpha"].any(axis)) for axis in (1, 0))
    assert (columns[0], columns[-1]) == (rim, width - 1 - rim)
    assert abs((rows[0] + rows[-1]) / 2 - (part.size_hw[0] - 1) / 2) <= 0.5
    assert (part.image[0] == 255).all()


def test_crop_to_matte__rim_ends_at_the_picture():
    sample = scene((200, 150))
    sample.fields["alpha"][:] = 1
    np.testing.assert_array_equal(crop_to_matte(sample, 0.1).image, sample.image)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_augment__light_changes_picture_and_foreground_alike(share):
    config = dataclasses.replace(STILL, photometric=Photometric(share=share, step=1.0))
    sample = scene((64, 48))
    view = run(sample, config, seed=5)
    assert bool((view.image != sample.image).any()) is (share > 0)
    solid = sample.fields["alpha"] == 1
    np.testing.assert_allclose(view.fields["foreground"][solid] * 255, view.image[solid], atol=1)


@pytest.mark.parametrize(
    ("word", "drop", "alpha", "says"),
    [
        ("nobody", (), 0.0, "alpha is 0 everywhere"),
        ("no alpha", ("alpha",), 1.0, "has no alpha"),
        ("cut out without colour", ("foreground",), 1.0, "needs a background, but has no foreground"),
    ],
)
def test_augment__refused(word, drop, alpha, says):
    sample = cut_out()
    sample.fields["alpha"] *= alpha
    for name in drop:
        sample.fields.pop(name)
    with pytest.raises(InputError) as caught:
        run(sample)
    assert says in str(caught.value), word


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (300, 7)], ids=str)
def test_augment__odd_sizes(size_hw):
    sample = scene(size_hw)
    sample.fields["alpha"][:] = 1
    for seed in range(5):
        assert run(sample, seed=seed).size_hw == (64, 48)
