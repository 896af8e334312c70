"""Resize, window and letterbox of annotated pictures: recorded chains, and all annotations together."""

import cv2
import numpy as np
import pytest
from helpers_samples import geometry, recorded_sample, rgb, same, scene

from sapiens.imaging.sample import UNKNOWN_LABEL, flip
from sapiens.imaging.sample_moves import letterbox, resize, window, with_mask
from sapiens.tasks.seg.classes import SWAP_INDEX


def test_letterbox__recorded_points():
    golden = geometry()
    boxed = letterbox(flip(recorded_sample(golden), {}), (64, 48))
    np.testing.assert_array_equal(boxed.image, rgb(golden["pointmap/resize_img"]))
    np.testing.assert_array_equal(boxed.fields["mask"], golden["pointmap/resize_mask"] > 0)
    np.testing.assert_array_equal(boxed.fields["depth_m"], golden["pointmap/resize_depth"])
    np.testing.assert_allclose(boxed.extra["intrinsics"], golden["pointmap/resize_K"], rtol=1e-12)
    np.testing.assert_array_equal(golden["pointmap/original_K"], golden["pointmap/resize_K"])


def test_letterbox__recorded_points_give_the_recorded_target():
    golden = geometry()
    boxed = letterbox(flip(recorded_sample(golden), {}), (64, 48))
    camera, depth, mask = boxed.extra["intrinsics"], boxed.fields["depth_m"], boxed.fields["mask"]
    v, u = np.mgrid[:64, :48]
    scale = 768 / camera[0, 0]
    rays = np.stack([(u - camera[0, 2]) / camera[0, 0], (v - camera[1, 2]) / camera[1, 1], np.ones_like(depth)], -1)
    target = np.where(mask[..., None], scale * depth[..., None] * rays, 0)
    np.testing.assert_allclose(scale, golden["pointmap/scale"])
    np.testing.assert_allclose(target, golden["pointmap/target"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(target[..., 2][mask].mean(), golden["pointmap/mean_depth"].item(), rtol=1e-5)


def test_letterbox__recorded_normals():
    golden = geometry()
    boxed = letterbox(flip(recorded_sample(golden), {}), (64, 48))
    mask = golden["normal/mask"] > 0
    lengths = np.linalg.norm(boxed.fields["normals"], axis=-1, keepdims=True)
    np.testing.assert_array_equal(boxed.image, rgb(golden["normal/img"]))
    np.testing.assert_array_equal(boxed.fields["mask"], mask)
    unit = boxed.fields["normals"] / (lengths + 1e-6)
    np.testing.assert_allclose(unit[mask], golden["normal/flip_resize_target"][mask], atol=1e-6)


def test_letterbox__recorded_albedo():
    golden = geometry()
    boxed = letterbox(recorded_sample(golden), (64, 48))
    np.testing.assert_array_equal(boxed.fields["mask"], golden["albedo/mask"] > 0)
    np.testing.assert_allclose(boxed.fields["albedo"], golden["albedo/resize_target"], atol=1e-6)


def test_letterbox__recorded_test_picture_and_padding():
    golden = geometry()
    boxed = letterbox(recorded_sample(golden), (64, 48))
    np.testing.assert_array_equal(boxed.image, rgb(golden["normal/test_img"]))
    left, right, top, bottom = golden["normal/test_padding"]
    inside = np.zeros((64, 48), bool)
    inside[top : 64 - bottom, left : 48 - right] = True
    full = recorded_sample(golden)
    full.fields.pop("mask")
    np.testing.assert_array_equal(letterbox(full, (64, 48)).fields["mask"], inside)


def test_resize__recorded_parts():
    golden = geometry()
    mirrored = flip(recorded_sample(golden), {"labels": SWAP_INDEX})
    resized = resize(mirrored, (64, 48), filters={"image": cv2.INTER_AREA})
    np.testing.assert_array_equal(resized.image, rgb(golden["seg/resized_img"]))
    np.testing.assert_array_equal(resized.fields["labels"], golden["seg/resized_label"])


@pytest.mark.parametrize("size_hw", [(240, 180), (40, 70), (1, 1), (7, 300)], ids=str)
def test_resize__annotations_keep_kind_and_size(size_hw):
    sample = scene()
    resized = resize(sample, size_hw)
    assert resized.size_hw == size_hw
    for name, value in sample.fields.items():
        assert resized.fields[name].dtype == value.dtype
    assert set(np.unique(resized.fields["labels"])) <= set(np.unique(sample.fields["labels"]))
    assert set(np.unique(resized.fields["depth_m"])) <= set(np.unique(sample.fields["depth_m"]))


def test_resize__points_box_and_camera_follow_the_pixels():
    sample = scene()
    resized = resize(sample, (240, 270))
    points, before = (s.fields["keypoints"][:60, :2] for s in (resized, sample))
    np.testing.assert_allclose(points, (before + 0.5) * (3, 2) - 0.5, rtol=1e-5)
    np.testing.assert_allclose(resized.extra["box_xyxy"][2:], (sample.extra["box_xyxy"][2:] + 0.5) * (3, 2) - 0.5)
    pixel, old = (s.extra["intrinsics"] @ (0.1, 0.2, 1) for s in (resized, sample))
    np.testing.assert_allclose(pixel[:2], (old[:2] + 0.5) * (3, 2) - 0.5)


def test_resize__released_camera():
    sample = scene()
    want = sample.extra["intrinsics"] * [[2], [2], [1]]
    np.testing.assert_allclose(resize(sample, (240, 180), camera_factor=2).extra["intrinsics"], want)


def test_window__crop():
    sample = scene()
    part = window(sample, 30, 20, (50, 40))
    for name in ("labels", "mask", "normals", "depth_m", "alpha", "foreground", "albedo"):
        np.testing.assert_array_equal(part.fields[name], sample.fields[name][30:80, 20:60])
    np.testing.assert_array_equal(part.image, sample.image[30:80, 20:60])
    np.testing.assert_allclose((sample.extra["intrinsics"] - part.extra["intrinsics"])[:2, 2], [20, 30])
    moved = sample.fields["keypoints"][:60, :2] - (20, 30)
    inside = ((moved >= 0) & (moved <= (39, 49))).all(1)
    np.testing.assert_array_equal(part.fields["keypoints"][:60, 2] > 0, inside)
    np.testing.assert_allclose(part.fields["keypoints"][:60, :2], moved, atol=1e-4)


def test_window__padding_and_back():
    sample = scene()
    padded = window(sample, -4, -7, (130, 110), {"image": 255})
    assert (padded.image[:4] == 255).all()
    assert (padded.fields["labels"][:, :7] == UNKNOWN_LABEL).all()
    assert not padded.fields["mask"][124:].any()
    assert (padded.fields["alpha"][124:] == 0).all()
    back = window(padded, 4, 7, sample.size_hw)
    np.testing.assert_allclose(back.fields["keypoints"][:, :2], sample.fields["keypoints"][:, :2], atol=1e-4)
    assert all(np.array_equal(back.fields[k], v) for k, v in sample.fields.items() if k != "keypoints")


@pytest.mark.parametrize(("top", "left"), [(500, 0), (0, -500), (-300, 500)])
def test_window__beside_the_picture(top, left):
    nothing = window(scene(), top, left, (20, 30))
    assert nothing.size_hw == (20, 30)
    assert (nothing.image == 0).all()
    assert (nothing.fields["keypoints"][:, 2] == 0).all()


def test_with_mask__known_everywhere_unless_it_has_one():
    sample = scene()
    assert same(with_mask(sample), sample)
    sample.fields.pop("mask")
    assert with_mask(sample).fields["mask"].all()
