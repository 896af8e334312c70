"""Depth pictures: recorded ones, bounds of one picture and of several, masks, and what has no depth."""

import dataclasses
import warnings

import numpy as np
import pytest
from helpers_dense import PICTURES, golden, rgb

from sapiens.errors import InputError
from sapiens.tasks.pointmap.draw import GREY, depth_bounds


@pytest.mark.parametrize(
    ("key", "masks"), [("vis_bgr", True), ("vis_nomask_withnormal_bgr", False)], ids=["masked", "with normals"]
)
def test_draw__equals_the_original(recorded, key, masks):
    results = {name: recorded(name, mask=masks) for name in PICTURES}
    bounds = depth_bounds(results.values())
    for name, result in results.items():
        drawn = np.asarray(result.draw(side_by_side=True, bounds=bounds, with_normals=not masks)).astype(int)
        difference = np.abs(drawn - rgb(golden("pointmap")[f"{key}_{name}"])).max(-1)
        assert difference.max() <= 4
        assert (difference > 0).mean() <= 0.005


def test_depth_bounds__the_widest_of_all_pictures(slanted):
    near, far = slanted(), slanted(points=slanted().points + np.float32(5))
    low, high = depth_bounds([near, far])
    assert (low, high) == (depth_bounds([near])[0], depth_bounds([far])[1])
    assert depth_bounds([near]) == pytest.approx(tuple(np.percentile(near.depth_m, [1, 99])))


def test_depth_bounds__speak_of_the_finite_foreground(slanted):
    result = slanted()
    mask = np.zeros((4, 5), bool)
    mask[:, 1] = True
    points = result.points.copy()
    points[0, 1] = np.inf
    assert depth_bounds([dataclasses.replace(result, points=points, mask=mask)]) == pytest.approx((2.05, 2.05))
    assert np.isnan(depth_bounds([result.with_mask(np.zeros((4, 5), bool))])).all()
    assert np.isnan(depth_bounds([])).all()


def test_draw__near_is_red_and_far_is_blue(slanted):
    drawn = np.asarray(slanted().draw()).astype(int)
    assert (drawn[:, 0, 0] > drawn[:, 0, 2]).all()
    assert (drawn[:, -1, 2] > drawn[:, -1, 0]).all()


@pytest.mark.parametrize("keep_background", [False, True], ids=["grey", "picture"])
def test_draw__off_the_person(slanted, keep_background):
    mask = np.zeros((12, 14), bool)
    mask[2:-2, 2:-2] = True
    result = slanted(12, 14).with_mask(mask)
    drawn = np.asarray(result.draw(with_normals=True, keep_background=keep_background))
    assert drawn.shape == (12, 28, 3)
    outside = result.image[~mask] if keep_background else np.broadcast_to(GREY, ((~mask).sum(), 3))
    np.testing.assert_array_equal(drawn[:, :14][~mask], outside)
    np.testing.assert_array_equal(drawn[:, 14:][~mask], outside)
    assert (drawn[6, 14 + 7] != drawn[0, 14]).any()


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(np.full((4, 5, 3), np.nan, np.float32), id="nan"),
        pytest.param(np.zeros((4, 5, 3), np.float32), id="all at the camera"),
        pytest.param(np.full((4, 5, 3), -1, np.float32), id="behind the camera"),
        pytest.param(np.full((4, 5, 3), 1e6, np.float32), id="beyond float16"),
    ],
)
def test_draw__degenerate_depth_still_gives_a_picture(slanted, points):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = slanted(points=points).draw(with_normals=True, side_by_side=True)
    assert drawn.size == (15, 4)


def test_draw__empty_foreground_is_all_background(slanted):
    drawn = np.asarray(slanted().with_mask(np.zeros((4, 5), bool)).draw(with_normals=True))
    assert (drawn == GREY).all()


def test_draw__refuses_bounds_the_wrong_way_round(slanted):
    with pytest.raises(InputError, match=r"nearest and farthest depth, got 3\.0 and 2\.0"):
        slanted().draw(bounds=(3.0, 2.0))


def test_draw__normals_of_a_plane_lean_with_it(slanted):
    drawn = np.asarray(slanted(20, 20).draw(with_normals=True))[8:12, 28:32]
    assert (drawn == drawn[0, 0]).all(-1).mean() > 0.4
    assert drawn[..., 0].mean() > 127 > drawn[..., 2].mean()
