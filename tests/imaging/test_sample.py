"""Annotated pictures under flip and affine maps: each kind by its rule, all of them together."""

import math

import cv2
import numpy as np
import pytest
from helpers_samples import geometry, recorded_sample, same, scene

from sapiens.errors import InputError
from sapiens.imaging.sample import UNKNOWN_LABEL, Sample, flip, label_table, warp
from sapiens.tasks.seg.classes import SWAP_INDEX


def test_sample__unknown_annotation():
    with pytest.raises(InputError, match="no annotation is called 'depth'; known are labels, mask"):
        Sample(np.zeros((4, 3, 3), np.uint8), "x", {"depth": np.zeros((4, 3))})


def test_sample__annotation_of_another_size():
    with pytest.raises(InputError, match="x: mask is 3x4 pixels, the picture 4x3"):
        Sample(np.zeros((4, 3, 3), np.uint8), "x", {"mask": np.zeros((3, 4), bool)})


def test_flip__recorded():
    golden = geometry()
    mirrored = flip(recorded_sample(golden), {"labels": SWAP_INDEX})
    np.testing.assert_array_equal(mirrored.fields["labels"], golden["seg/flipped"])
    np.testing.assert_array_equal(mirrored.extra["intrinsics"], golden["pointmap/flip_K"])


def test_flip__twice_is_nothing():
    sample = scene()
    swaps = {"labels": SWAP_INDEX, "keypoints": list(range(307, -1, -1))}
    again = flip(flip(sample, swaps), swaps)
    np.testing.assert_allclose(again.fields["keypoints"], sample.fields["keypoints"], atol=1e-4)
    np.testing.assert_allclose(again.extra["box_xyxy"], sample.extra["box_xyxy"], atol=1e-4)
    np.testing.assert_allclose(again.extra["intrinsics"], sample.extra["intrinsics"])
    rest = {name: value for name, value in sample.fields.items() if name != "keypoints"}
    assert all(np.array_equal(again.fields[name], value) for name, value in rest.items())


def test_flip__changes_nothing_of_the_original():
    sample, before = scene(), scene()
    flip(sample, {"labels": SWAP_INDEX, "keypoints": list(range(308))})
    assert same(sample, before)
    np.testing.assert_array_equal(sample.extra["intrinsics"], before.extra["intrinsics"])


def test_label_table__leaves_unknown_alone():
    table = label_table(SWAP_INDEX)
    assert table[5] == 14
    assert table[UNKNOWN_LABEL] == UNKNOWN_LABEL
    assert sorted(table.tolist()) == list(range(256))


def test_warp__identity_changes_nothing():
    sample = scene()
    moved = warp(sample, np.eye(2, 3), sample.size_hw)
    assert same(moved, sample)


def test_warp__shift_moves_everything_alike():
    sample = scene()
    moved = warp(sample, np.array([[1.0, 0, 5], [0, 1, -3]]), sample.size_hw)
    for name in ("labels", "mask", "normals", "alpha", "albedo"):
        np.testing.assert_array_equal(moved.fields[name][:-3, 5:], sample.fields[name][3:, :-5])
    np.testing.assert_allclose(moved.extra["box_xyxy"] - sample.extra["box_xyxy"], [5, -3, 5, -3], atol=1e-4)
    np.testing.assert_allclose((moved.extra["intrinsics"] - sample.extra["intrinsics"])[:2, 2], [5, -3])
    assert (moved.fields["labels"][:, :5] == UNKNOWN_LABEL).all()
    assert (moved.image[:, :5] == 0).all()


def test_warp__points_outside_become_unknown():
    sample = scene()
    moved = warp(sample, np.array([[1.0, 0, -1000], [0, 1, 0]]), sample.size_hw)
    assert (moved.fields["keypoints"][:, 2] == 0).all()


def test_warp__rotation_turns_normals_as_the_picture():
    normals = np.zeros((9, 9, 3), np.float32)
    normals[..., 0] = 1  # to the right
    sample = Sample(np.zeros((9, 9, 3), np.uint8), "x", {"normals": normals})
    quarter = np.array([[0.0, -1, 8], [1, 0, 0]])  # right goes to down
    turned = warp(sample, quarter, (9, 9)).fields["normals"]
    np.testing.assert_allclose(turned[4, 4], [0, -1, 0], atol=1e-6)


def test_warp__depth_cannot_be_rotated():
    matrix = cv2.getRotationMatrix2D((10, 10), 20, 1)
    with pytest.raises(InputError, match="a picture with depth cannot be rotated"):
        warp(scene(), matrix, (120, 90))


def test_warp__larger_than_opencv_can():
    sample = Sample(np.zeros((1, 40000, 3), np.uint8), "panorama", {})
    with pytest.raises(InputError, match=r"panorama: .* 32766"):
        warp(sample, np.eye(2, 3), (8, 8))


def test_warp__extra_arrays_without_a_rule_are_dropped():
    sample = scene()
    sample.extra["boxes"] = np.zeros((2, 4))
    moved = warp(sample, np.eye(2, 3), sample.size_hw)
    assert set(moved.extra) == {"intrinsics", "box_xyxy", "subject"}


def test_warp__camera_still_projects_to_the_same_place():
    sample = scene()
    matrix = np.array([[1.3, 0, 4], [0, 0.7, -2]])
    ray = np.array([0.1, -0.2, 1.0])
    before, after = (s.extra["intrinsics"] @ ray for s in (sample, warp(sample, matrix, (84, 117))))
    np.testing.assert_allclose(after[:2], matrix[:, :2] @ before[:2] + matrix[:, 2])
    assert math.isclose(after[2], 1)
