"""Augmentation for parts: repeatable, at the network's size, backgrounds, labels that stay classes, refusals."""

import dataclasses

import cv2
import numpy as np
import pytest
from helpers_samples import augment_recipe, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_photo import Photometric
from sapiens.tasks.seg.augment import AugmentConfig, augment
from sapiens.tasks.seg.classes import SWAP_INDEX

STILL = AugmentConfig(
    swap=0.0, resize=(1.0, 1.0), crop=0.0, blur=0.0, noise=0.0, rotate=0.0, flip=0.0, photometric=Photometric(share=0.0)
)


def run(sample, config=None, seed=0, compat="default", size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw, compat))


@pytest.mark.parametrize("seed", range(12))
def test_augment__repeatable_and_of_the_networks_size(seed):
    first, second = run(scene(), seed=seed), run(scene(), seed=seed)
    assert same(first, second)
    assert first.size_hw == (64, 48)
    assert set(first.fields) == {"labels"}
    known = set(np.unique(scene().fields["labels"])) | {SWAP_INDEX[k] for k in np.unique(scene().fields["labels"])}
    assert set(np.unique(first.fields["labels"])) <= known | {0, 255}


def test_augment__leaves_the_original_alone():
    sample = scene()
    for seed in range(6):
        run(sample, seed=seed)
    assert same(sample, scene())


def test_augment__nothing_but_the_resize():
    sample = scene((128, 96))
    still = run(sample, STILL)
    np.testing.assert_array_equal(still.image, cv2.resize(sample.image, (48, 64), interpolation=cv2.INTER_AREA))
    nearest = cv2.resize(sample.fields["labels"], (48, 64), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(still.fields["labels"], nearest)


def test_augment__flip_swaps_sides():
    sample = scene((64, 48))
    flipped = run(sample, dataclasses.replace(STILL, flip=1.0))
    np.testing.assert_array_equal(flipped.image, sample.image[:, ::-1])
    np.testing.assert_array_equal(flipped.fields["labels"], np.array(SWAP_INDEX)[sample.fields["labels"][:, ::-1]])


def test_augment__rotation_brings_in_black_background():
    labels = np.full((64, 64), 3, np.uint8)
    sample = dataclasses.replace(scene((64, 64)), fields={"labels": labels}, extra={})
    turned = run(sample, dataclasses.replace(STILL, rotate=1.0, degrees=60.0), seed=1, size_hw=(64, 64))
    assert set(np.unique(turned.fields["labels"])) == {0, 3}
    assert (turned.image[turned.fields["labels"] == 0] < 255).all()
    assert turned.image[0, 0].max() == 0


@pytest.fixture
def folder(tmp_path):
    cv2.imwrite(str(tmp_path / "blue.png"), np.full((64, 48, 3), (200, 0, 0), np.uint8))
    return str(tmp_path)


@pytest.mark.parametrize(("in_the_wild", "changed"), [(0, True), (1, False)])
def test_augment__background_of_studio_pictures_alone(folder, in_the_wild, changed):
    sample = dataclasses.replace(scene((64, 48)), extra={"in_the_wild": in_the_wild})
    image = run(sample, dataclasses.replace(STILL, swap=1.0, backgrounds=folder)).image
    background = sample.fields["labels"] == 0
    assert bool((image[background] == (0, 0, 200)).all()) is changed


def test_augment__without_a_folder_backgrounds_stay():
    sample = scene((64, 48))
    np.testing.assert_array_equal(run(sample, dataclasses.replace(STILL, swap=1.0)).image, sample.image)


@pytest.mark.parametrize(("compat", "kept"), [("default", False), ("reference", True)])
def test_augment__unknown_pixels_and_the_background(folder, compat, kept):
    sample = scene((64, 48))
    sample.fields["labels"][:8] = 255
    image = run(sample, dataclasses.replace(STILL, swap=1.0, backgrounds=folder), compat=compat).image
    assert bool((image[:8] == (0, 0, 200)).all()) is not kept


@pytest.mark.parametrize(
    ("word", "labels", "compat", "refused"),
    [
        ("nobody", np.zeros((64, 48), np.uint8), "default", True),
        ("unknown alone", np.full((64, 48), 255, np.uint8), "default", True),
        ("seven pixels", np.pad(np.full((1, 7), 5, np.uint8), ((0, 63), (0, 41))), "default", True),
        ("below a hundredth", np.pad(np.full((5, 6), 5, np.uint8), ((0, 59), (0, 42))), "default", True),
        ("just enough", np.pad(np.full((4, 8), 5, np.uint8), ((0, 60), (0, 40))), "default", False),
    ],
)
def test_augment__too_little_foreground(word, labels, compat, refused):
    sample = dataclasses.replace(scene((64, 48)), fields={"labels": labels})
    if refused:
        with pytest.raises(InputError, match=r"scene0: .*pixels of parts"):
            run(sample, STILL, compat=compat)
    else:
        assert run(sample, STILL, compat=compat).size_hw == (64, 48), word


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (500, 20)], ids=str)
def test_augment__odd_sizes(size_hw):
    config = AugmentConfig(least_foreground=0, least_share=0.0)
    for seed in range(4):
        assert run(scene(size_hw), config, seed).size_hw == (64, 48)


def test_augment__no_labels():
    with pytest.raises(InputError, match="has no labels"):
        run(dataclasses.replace(scene(), fields={}))


def test_config__released_values():
    config = AugmentConfig()
    assert (config.swap, config.resize, config.crop, config.crop_class_share) == (0.8, (0.4, 2.0), 0.3, 0.75)
    assert (config.blur, config.noise, config.rotate, config.degrees, config.flip) == (0.3, 0.3, 0.5, 60.0, 0.5)
    with pytest.raises(InputError, match="rotate is a share"):
        AugmentConfig(rotate=2.0)
