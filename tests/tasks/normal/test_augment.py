"""Augmentation for normals: repeatable, at the network's size, unit vectors that mirror, refused pictures."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import augment_recipe, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_geometry import Framing
from sapiens.imaging.augment_photo import Photometric
from sapiens.tasks.normal.augment import AugmentConfig, augment
from sapiens.tasks.normal.data import fit, targets

STILL = AugmentConfig(
    photometric=Photometric(share=0.0),
    detail=0.0,
    framing=Framing(scale_share=0.0, crop_share=0.0, flip=0.0),
    blur=0.0,
    noise=0.0,
    solarise=0.0,
)


def run(sample, config=None, seed=0, compat="default", size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw, compat))


@pytest.mark.parametrize("compat", ["default", "reference"])
@pytest.mark.parametrize("seed", range(8))
def test_augment__repeatable_and_usable(seed, compat):
    first, second = run(scene(), seed=seed, compat=compat), run(scene(), seed=seed, compat=compat)
    assert same(first, second)
    assert first.size_hw == (64, 48)
    assert set(first.fields) == {"normals", "mask"}
    lengths = np.linalg.norm(first.fields["normals"], axis=-1)[first.fields["mask"]]
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert targets(first, augment_recipe())["normals"].shape == (3, 64, 48)


def test_augment__nothing_drawn_is_what_prediction_sees():
    still, fitted = run(scene(), STILL), fit(scene(), augment_recipe())
    np.testing.assert_array_equal(still.image, fitted.image)
    np.testing.assert_array_equal(still.fields["normals"], fitted.fields["normals"])
    np.testing.assert_array_equal(still.fields["mask"], fitted.fields["mask"])


def test_augment__flip_negates_x():
    flipped = run(scene((64, 48)), dataclasses.replace(STILL, framing=Framing(0.0, crop_share=0.0, flip=1.0)))
    plain = run(scene((64, 48)), STILL)
    np.testing.assert_array_equal(flipped.image, plain.image[:, ::-1])
    np.testing.assert_array_equal(flipped.fields["normals"], plain.fields["normals"][:, ::-1] * (-1, 1, 1))


@pytest.mark.parametrize("step", ["detail", "blur", "noise", "solarise", "photometric"])
def test_augment__each_step_changes_the_picture_alone(step):
    change = Photometric(step=1.0) if step == "photometric" else 1.0
    changed, plain = run(scene(), dataclasses.replace(STILL, **{step: change})), run(scene(), STILL)
    assert (changed.image != plain.image).any()
    np.testing.assert_array_equal(changed.fields["normals"], plain.fields["normals"])


def test_augment__nan_leave_the_mask():
    sample = scene()
    sample.fields["normals"][50:70] = np.nan
    view = run(sample, STILL)
    assert np.isfinite(view.fields["normals"][view.fields["mask"]]).all()
    assert targets(view, augment_recipe())["normals"].isfinite().all()


def test_augment__without_a_mask_all_is_known():
    sample = scene((64, 48))
    sample.fields.pop("mask")
    assert run(sample, STILL).fields["mask"].all()


@pytest.mark.parametrize(
    ("word", "mask", "says"),
    [
        ("empty", np.zeros((64, 48), bool), "0 known pixels are left; at least 1"),
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


def test_augment__all_normals_nan():
    sample = scene()
    sample.fields["normals"][:] = np.nan
    with pytest.raises(InputError, match="0 known pixels"):
        run(sample)


def test_config__released_values():
    config = AugmentConfig()
    assert (config.detail, config.detail_factor, config.blur, config.noise, config.solarise) == (
        0.2,
        (0.1, 0.7),
        0.3,
        0.3,
        0.3,
    )
    assert config.framing == Framing(0.3, (0.5, 2.0), 0.3, (0.5, 2.0), (0.4, 1.0), 8, 0.3)
    with pytest.raises(InputError, match="detail_factor is a range"):
        AugmentConfig(detail_factor=(0.0, 0.5))
