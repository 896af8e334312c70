"""Augmentation for keypoints: recorded geometry, repeatable crops, points that stay on their pixels, refusals."""

import dataclasses

import numpy as np
import pytest
from helpers_samples import GEOMETRY, augment_recipe, geometry, same, scene

from sapiens.errors import InputError
from sapiens.imaging.augment_photo import Photometric
from sapiens.imaging.geometry import BoxCrop
from sapiens.imaging.sample import Sample
from sapiens.tasks.pose.augment import (
    AugmentConfig,
    Region,
    augment,
    box_region,
    crop,
    half_body,
    jitter,
    points_region,
    region_matrix,
    widen,
)
from sapiens.tasks.pose.data import fit, targets
from sapiens.tasks.pose.keypoints import LOWER_BODY, SWAP_INDEX, UPPER_BODY

HW = (1024, 768)
STILL = AugmentConfig(
    flip=0.0,
    half_body=0.0,
    shift=0.0,
    resize=0.0,
    rotate=0.0,
    photometric=Photometric(share=0.0),
    blur=0.0,
    median=0.0,
    drop=0.0,
)


@pytest.fixture(scope="module")
def golden():
    return geometry()


def run(sample, config=None, seed=0, size_hw=(64, 48)):
    return augment(sample, np.random.default_rng(seed), augment_recipe(config, size_hw))


@pytest.mark.parametrize("box", [0, 1])
def test_region__recorded(golden, box):
    region = box_region(golden["pose/bbox"][box], 1.25)
    np.testing.assert_array_equal(region.centre_xy, golden["pose/center"][box])
    np.testing.assert_array_equal(region.scale_xy, golden["pose/scale"][box])
    np.testing.assert_array_equal(widen(region.scale_xy, HW), golden["pose/scale_fixed"][box])


@pytest.mark.parametrize("box", [0, 1])
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_region_matrix__recorded(golden, box, turn):
    region = Region(golden["pose/center"][box], golden["pose/scale_fixed"][box], golden["pose/rotations"][turn])
    np.testing.assert_allclose(region_matrix(region, HW), golden["pose/warp"][box, turn], rtol=1e-6, atol=1e-4)


def test_region_matrix__without_a_turn_is_the_crop_of_prediction(golden):
    for box in golden["pose/bbox"]:
        region = box_region(box, 1.25)
        matrix = region_matrix(region._replace(scale_xy=widen(region.scale_xy, HW)), HW)
        np.testing.assert_array_equal(matrix, BoxCrop.from_box(box, HW).matrix)


def test_crop__recorded_points(golden):
    points = np.concatenate([golden["pose/affine_in"][0], np.full((20, 1), 2, np.float32)], 1)
    region = box_region(golden["pose/bbox"][0], 1.25)._replace(degrees=30.0)
    sample = Sample(np.zeros((1100, 800, 3), np.uint8), "x", {"keypoints": points})
    moved = crop(sample, region, HW).fields["keypoints"]
    np.testing.assert_allclose(moved[:, :2], golden["pose/affine_out"][0], atol=1e-3)
    np.testing.assert_array_equal(moved[:, 2] > 0, golden["pose/affine_visible"][0] > 0)


def test_points_region__recorded(golden):
    region = points_region(golden["pose/affine_in"][0][[1, 4, 6, 9]], 1.5)
    np.testing.assert_allclose(region.centre_xy, golden["pose/half_center"], rtol=1e-6)
    np.testing.assert_allclose(region.scale_xy, golden["pose/half_scale"], rtol=1e-6)


def test_targets__recorded_maps_of_a_crop():
    with np.load(GEOMETRY.with_name("udp_targets.npz"), allow_pickle=False) as udp:
        wanted = {name: udp[f"encode/{name}"] for name in ("keypoints", "visible", "heatmaps", "weights")}
    points = np.zeros((308, 3), np.float32)
    points[:12, :2], points[:12, 2] = wanted["keypoints"][0], wanted["visible"][0]
    sample = Sample(np.zeros((*HW, 3), np.uint8), "x", {"keypoints": points})
    made = targets(sample, augment_recipe(size_hw=HW))
    np.testing.assert_allclose(made["heatmaps"][:12], wanted["heatmaps"], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(made["weights"][:12] > 0, wanted["weights"][0] > 0)
    assert not made["heatmaps"][12:].any()


def test_augment__nothing_drawn_is_what_prediction_sees():
    sample = scene((240, 180))
    still, fitted = run(sample, STILL), fit(sample, augment_recipe(size_hw=(64, 48)))
    np.testing.assert_array_equal(still.image, fitted.image)
    known = fitted.fields["keypoints"][:, 2] > 0
    np.testing.assert_array_equal(still.fields["keypoints"][:, 2] > 0, known)
    np.testing.assert_allclose(still.fields["keypoints"][known], fitted.fields["keypoints"][known], atol=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_augment__repeatable_and_usable(seed):
    first, second = run(scene(), seed=seed), run(scene(), seed=seed)
    assert same(first, second)
    assert first.size_hw == (64, 48)
    points = first.fields["keypoints"]
    known = points[:, 2] > 0
    assert (points[~known] == 0).all()
    assert ((points[known, :2] >= 0) & (points[known, :2] <= (47, 63))).all()
    assert not known[60:].any() or not known[list(SWAP_INDEX)][60:].any()
    assert targets(first, augment_recipe(size_hw=(64, 48)))["heatmaps"].shape == (308, 16, 12)


def test_augment__leaves_the_original_alone():
    sample = scene()
    for seed in range(8):
        run(sample, seed=seed)
    assert same(sample, scene())


def test_augment__points_stay_on_their_pixels():
    image = np.zeros((200, 150, 3), np.uint8)
    points = np.zeros((308, 3), np.float32)
    places = [(40, 50), (90, 60), (60, 120), (100, 150), (75, 90), (50, 170), (110, 40), (30, 100), (120, 120)]
    for index, (x, y) in enumerate(places):
        points[index] = x, y, 2
        image[y - 2 : y + 3, x - 2 : x + 3] = (index + 1) * 25, 255, 10
    sample = Sample(image, "dots", {"keypoints": points}, {"box_xyxy": np.array([20, 30, 130, 180], np.float32)})
    config = dataclasses.replace(STILL, shift=1.0, resize=0.5, rotate=1.0, half_body=0.5)
    for seed in range(25):
        view = run(sample, config, seed, size_hw=(256, 192))
        for index, (x, y, known) in enumerate(view.fields["keypoints"][:9]):
            if known and 3 < x < 188 and 3 < y < 252:
                red, green, _ = view.image[round(float(y)), round(float(x))].astype(int)
                assert green > 180
                assert abs(red * 255 / green - (index + 1) * 25) < 14


def test_augment__flip_exchanges_partners():
    sample = scene()
    flipped, plain = run(sample, dataclasses.replace(STILL, flip=1.0)), run(sample, STILL)
    np.testing.assert_allclose(flipped.image.astype(int), plain.image[:, ::-1], atol=2)
    want = plain.fields["keypoints"][list(SWAP_INDEX)].copy()
    known = want[:, 2] > 0
    want[known, 0] = 47 - want[known, 0]
    np.testing.assert_allclose(flipped.fields["keypoints"][known], want[known], atol=1e-3)


def half_points(upper, lower):
    points = np.zeros((308, 3), np.float32)
    for offset, ids in ((0, UPPER_BODY[:upper]), (100, LOWER_BODY[:lower])):
        for step, index in enumerate(ids):
            points[index] = 10 + 5 * step, offset + 7 * step, 1
    return points


@pytest.mark.parametrize(
    ("word", "upper", "lower", "prefer", "want"),
    [
        ("upper preferred", 9, 6, 1.0, "upper"),
        ("lower preferred", 9, 6, 0.0, "lower"),
        ("upper too few", 1, 8, 1.0, "lower"),
        ("lower too few", 8, 2, 0.0, "upper"),
        ("eight in all", 4, 4, 1.0, None),
    ],
)
def test_half_body(word, upper, lower, prefer, want):
    points = half_points(upper, lower)
    region = half_body(points, np.random.default_rng(0), AugmentConfig(half_prefer_upper=prefer))
    ids = {"upper": UPPER_BODY[:upper], "lower": LOWER_BODY[:lower]}.get(want)
    if ids is None:
        assert region is None, word
    else:
        np.testing.assert_allclose(region.centre_xy, points[list(ids), :2].mean(0), rtol=1e-6)
        np.testing.assert_allclose(region.scale_xy, 1.5 * np.ptp(points[list(ids), :2], axis=0), rtol=1e-6)


def test_half_body__points_in_one_place():
    points = half_points(9, 6)
    points[:, :2] = 30
    assert half_body(points, np.random.default_rng(0), AugmentConfig()) is None


def test_jitter__ranges_and_shares():
    region = Region(np.array([100, 200], np.float32), np.array([50, 80], np.float32))
    drawn = [jitter(region, np.random.default_rng(seed), AugmentConfig()) for seed in range(600)]
    sizes = np.array([r.scale_xy[0] / 50 for r in drawn])
    shifts = np.array([(r.centre_xy - region.centre_xy) / region.scale_xy for r in drawn])
    angles = np.array([r.degrees for r in drawn])
    assert 0.5 <= sizes.min() < 0.55
    assert 1.45 < sizes.max() <= 1.5
    assert 0.14 < np.abs(shifts).max() <= 0.1601
    assert 0.25 < np.mean(shifts[:, 0] != 0) < 0.36
    np.testing.assert_array_equal(shifts[:, 0] != 0, shifts[:, 1] != 0)
    assert 70 < np.abs(angles).max() <= 80
    assert 0.54 < np.mean(angles != 0) < 0.66


@pytest.mark.parametrize(
    ("word", "known", "config", "says"),
    [
        ("seven points", range(7), {}, "7 known keypoints, fewer than 8"),
        ("face alone", range(80, 200), {}, "0 known keypoints of body and feet, fewer than 6"),
        ("nothing known", (), {}, "0 known keypoints, fewer than 8"),
        ("face asked for", range(80, 200), {"least_body": 0}, None),
    ],
)
def test_augment__too_few_points(word, known, config, says):
    sample = scene()
    points = np.zeros((308, 3), np.float32)
    points[list(known)] = 45, 60, 2
    sample = dataclasses.replace(sample, fields={"keypoints": points})
    if says is None:
        assert run(sample, AugmentConfig(**config)).size_hw == (64, 48), word
    else:
        with pytest.raises(InputError) as caught:
            run(sample, AugmentConfig(**config))
        assert says in str(caught.value), word


def test_augment__grey_picture():
    grey = dataclasses.replace(scene(), image=np.repeat(scene().image[..., :1], 3, 2))
    with pytest.raises(InputError, match="scene0: a grey picture"):
        run(grey)
    assert run(grey, AugmentConfig(grey=True)).size_hw == (64, 48)


@pytest.mark.parametrize(
    ("word", "box"),
    [
        ("no box", None),
        ("no width", [10, 10, 10, 50]),
        ("turned round", [50, 50, 10, 10]),
        ("NaN", [0, 0, np.nan, 10]),
        ("three numbers", [0, 0, 5]),
    ],
)
def test_augment__bad_box(word, box):
    extra = {} if box is None else {"box_xyxy": np.array(box, np.float32)}
    with pytest.raises(InputError):
        run(dataclasses.replace(scene(), extra=extra), STILL)


def test_augment__other_annotations_are_left_behind():
    view = run(scene(), dataclasses.replace(STILL, rotate=1.0))
    assert set(view.fields) == {"keypoints"}


def test_config__released_values():
    config = AugmentConfig()
    assert (config.half_body, config.half_least, config.half_prefer_upper, config.half_padding) == (0.3, 9, 0.7, 1.5)
    assert (config.shift, config.shift_size, config.resize) == (0.3, 0.16, 0.5)
    assert (config.rotate, config.degrees, config.photometric.share, config.drop) == (0.6, 80.0, 0.8, 1.0)
    with pytest.raises(InputError, match="resize must be below 1"):
        AugmentConfig(resize=1.0)
