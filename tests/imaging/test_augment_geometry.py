"""Random geometry: sizes, the released crops, determinism, annotations that stay together."""

import numpy as np
import pytest
from helpers_samples import same, scene

from sapiens.imaging import augment_geometry as moves
from sapiens.imaging.augment_geometry import Framing
from sapiens.imaging.sample import UNKNOWN_LABEL, Sample

ALWAYS = Framing(scale_share=1.0, crop_share=1.0, flip=1.0)


def seeds(count=40):
    return [np.random.default_rng(seed) for seed in range(count)]


def test_frame__same_seed_same_sample():
    first, second = (moves.frame(scene(), np.random.default_rng(4), ALWAYS, (64, 48)) for _ in range(2))
    assert same(first, second)
    assert first.size_hw == (64, 48)


def test_frame__depth_points_project_back_to_their_pixels():
    """Pixels carry their own place of the original picture; the camera must say the same within a pixel."""
    sample = scene((240, 180))
    v, u = np.mgrid[:240, :180].astype(np.float32)
    places = np.stack([u, v, np.zeros_like(u)], -1)
    sample = Sample(sample.image, "places", {"normals": places, "mask": np.ones((240, 180), bool)}, sample.extra)
    camera = sample.extra["intrinsics"]
    for rng in seeds(20):
        framed = moves.frame(sample, rng, Framing(scale_share=1.0, crop_share=1.0, flip=0.0), (128, 96))
        rows, columns = np.nonzero(framed.fields["mask"])
        rays = np.stack([columns, rows, np.ones_like(rows)]).T @ np.linalg.inv(framed.extra["intrinsics"]).T
        wanted = framed.fields["normals"][rows, columns, :2]
        size = framed.extra["intrinsics"][0, 0] / camera[0, 0]
        error = np.abs((rays @ camera.T)[:, :2] - wanted) * size
        # Half a pixel by the released rule, half by the nearest pixel, one by truncated sizes, at either scale.
        assert np.median(error) < 1.5
        assert error.max() < 4


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.001])
def test_random_scale__both_sides(factor):
    scaled = moves.random_scale(scene(), np.random.default_rng(0), (factor, factor))
    assert scaled.size_hw == (max(1, int(120 * factor)), max(1, int(90 * factor)))
    want = scene().extra["intrinsics"] * [[factor], [factor], [1]]
    np.testing.assert_allclose(scaled.extra["intrinsics"], want)


def test_area_crop__area_and_aspect_within_their_ranges():
    sample = scene((400, 300))
    sizes = [moves.area_crop(sample, rng, Framing()).size_hw for rng in seeds(60)]
    areas = [rows * columns / 120000 for rows, columns in sizes]
    aspects = [columns / rows for rows, columns in sizes]
    assert min(areas) > 0.39
    assert max(areas) <= 1
    assert 0.49 < min(aspects) < 0.7
    assert max(aspects) < 2.01


@pytest.mark.parametrize(("short", "low"), [(False, 0), (True, 1)])
def test_area_crop__one_pixel_short_as_the_original(short, low):
    config = Framing(crop_area=(1.0, 1.0), crop_aspect=(0.75, 0.75))
    sample = scene((400, 300))
    sizes = {moves.area_crop(sample, rng, config, short=short).size_hw for rng in seeds()}
    assert min(rows for rows, _ in sizes) == 400 - low
    assert min(columns for _, columns in sizes) == 300 - low


def test_area_crop__nothing_fits():
    sample = scene((300, 20))
    assert moves.area_crop(sample, np.random.default_rng(0), Framing(crop_area=(1.0, 1.0))) is sample


def test_random_crop__at_most_the_picture():
    assert moves.random_crop(scene(), np.random.default_rng(0), (64, 200)).size_hw == (64, 90)
    corners = {moves.random_crop(scene(), rng, (119, 90)).image.tobytes() for rng in seeds()}
    assert len(corners) == 2


def test_balanced_crop__pads_below_and_right():
    crop = moves.balanced_crop(scene((40, 30)), np.random.default_rng(0), (64, 48), 0.75, 10)
    assert crop.size_hw == (64, 48)
    assert (crop.fields["labels"][40:] == UNKNOWN_LABEL).all()
    assert (crop.fields["labels"][:, 30:] == UNKNOWN_LABEL).all()
    assert (crop.image[40:] == 0).all()


def test_balanced_crop__no_class_beyond_its_share():
    sample = scene((400, 300))
    few = np.zeros((400, 300), np.uint8)
    few[180:220, 130:170] = 5
    sample = Sample(sample.image, "few", {"labels": few})
    hits = [
        (moves.balanced_crop(sample, rng, (80, 60), 0.75, tries).fields["labels"] == 5).any()
        for tries in (1, 200)
        for rng in seeds(30)
    ]
    assert np.mean(hits[:30]) < 0.5
    assert np.mean(hits[30:]) > 0.95


def test_balanced_crop__unknown_pixels_do_not_count():
    labels = np.full((60, 60), UNKNOWN_LABEL, np.uint8)
    labels[::9, ::9], labels[1::9, ::9] = 1, 2
    sample = Sample(np.zeros((60, 60, 3), np.uint8), "x", {"labels": labels})
    first = moves.balanced_crop(sample, np.random.default_rng(0), (30, 30), 0.75, 10)
    assert same(first, moves.balanced_crop(sample, np.random.default_rng(0), (30, 30), 0.75, 1))


def test_rotate__keeps_the_centre_and_fills_the_corners():
    sample = scene((61, 61))
    sample.fields.pop("depth_m")
    for rng in seeds(10):
        turned = moves.rotate(sample, rng, 60.0, {"image": 255, "labels": 0})
        assert turned.size_hw == (61, 61)
        np.testing.assert_array_equal(turned.fields["labels"][30, 30], sample.fields["labels"][30, 30])
        assert turned.fields["labels"].max() < UNKNOWN_LABEL


def test_rotate__labels_and_points_turn_together():
    labels = np.zeros((80, 80), np.uint8)
    labels[15:22, 50:57] = 7
    points = np.array([[53, 18, 2]], np.float32)
    sample = Sample(np.zeros((80, 80, 3), np.uint8), "x", {"labels": labels, "keypoints": points})
    for rng in seeds():
        turned = moves.rotate(sample, rng, 60.0, {"labels": 0})
        x, y, known = turned.fields["keypoints"][0]
        if known:
            assert turned.fields["labels"][round(float(y)), round(float(x))] == 7


@pytest.mark.parametrize(("box_hw", "want"), [((64, 48), (64, 48)), ((64, 480), (64, 48)), ((6400, 96), (128, 96))])
def test_fit_box__aspect_kept(box_hw, want):
    assert moves.fit_box(scene((120, 90)), box_hw, larger=2).size_hw == want


def test_random_flip__share():
    sample = scene()
    flipped = [moves.random_flip(sample, rng, 0.5) is not sample for rng in seeds(400)]
    assert 0.42 < np.mean(flipped) < 0.58
