"""Crops of a point map: one camera, one scale, whatever the crop's network says of focal lengths."""

import math

import numpy as np
import pytest
import torch

from sapiens.imaging.geometry import Letterbox
from sapiens.tasks.base import Prepared, Setup
from sapiens.tasks.pieces import Piece, Place, get_pieces
from sapiens.tasks.pointmap.pieces import fit, focal_of, turn_to
from sapiens.tasks.pointmap.process import PointmapOptions

INPUT_HW, SIZE_HW, FOCAL = (64, 48), (480, 640), 700.0
SETUP = Setup(INPUT_HW, "default", PointmapOptions(canonical_focal_px=48.0))
CROP = Place(slice(100, 228), slice(400, 496), SIZE_HW)


def piece(points: torch.Tensor, place: Place, focal_px: float, *, is_tile: bool = False) -> Piece:
    """A piece of given metres whose network believes in a focal length, in pixels of the picture."""
    letterbox = Letterbox(place.shape_hw, INPUT_HW)
    scale = 48.0 / (focal_px * letterbox.content_hw[1] / place.shape_hw[1])
    raw = {"pointmap": points[None] * scale, "scale": torch.tensor([[scale]])}
    prepared = Prepared(np.zeros((*INPUT_HW, 3), np.uint8), letterbox)
    field = get_pieces("pointmap").field(raw, prepared, SETUP)
    return Piece(place, field, raw, prepared, is_tile)


def sphere(distance: float) -> torch.Tensor:
    """Points of a body, metres, seen by a camera that looks at it: (3, 64, 48)."""
    rows, columns = torch.meshgrid(torch.linspace(-0.9, 0.9, 64), torch.linspace(-0.6, 0.6, 48), indexing="ij")
    return torch.stack([columns, rows, distance + 0.2 * (columns**2 + rows**2)])


@pytest.mark.parametrize("believed", [250.0, 700.0, 2000.0])
def test_align__a_person_stands_where_its_size_puts_it(believed: float) -> None:
    true_distance = 9.0
    whole = piece(sphere(1.3), Place.all_of(SIZE_HW), FOCAL)
    crop = piece(sphere(true_distance * believed / FOCAL), CROP, believed)
    weight = torch.ones(64, 48)
    found = get_pieces("pointmap").align(crop, whole, torch.zeros(3, 64, 48), weight, SETUP)
    middle = found[:, 28:36, 20:28].flatten(1).mean(1)
    # On the ray through the crop's middle, at the true distance, in true size.
    ray = torch.tensor([(448 - 320) / FOCAL, (164 - 240) / FOCAL, 1.0])
    assert torch.allclose(middle / middle[2], ray, atol=0.01)
    assert abs(float(torch.linalg.vector_norm(middle)) - true_distance) < 0.15
    extent = torch.linalg.vector_norm(found[:, 8, 24] - found[:, 55, 24])
    assert abs(float(extent) - 1.8 * 47 / 63) < 0.01


def test_focal_of__in_pixels_of_the_picture_whatever_was_cut() -> None:
    assert focal_of(piece(sphere(3), CROP, 512.0), SETUP) == pytest.approx(512)
    assert focal_of(piece(sphere(3), Place.all_of(SIZE_HW), 512.0), SETUP) == pytest.approx(512)


def test_align__without_a_usable_scale_the_points_are_fitted_to_the_whole() -> None:
    whole = piece(sphere(2.0), Place.all_of(SIZE_HW), FOCAL)
    whole.raw["scale"][:] = -1
    target = sphere(5.0) * 1.5
    crop = piece(sphere(2.0), CROP, FOCAL)
    found = get_pieces("pointmap").align(crop, whole, target, torch.ones(64, 48), SETUP)
    torch.testing.assert_close(found[:, 8:-8, 8:-8], target[:, 8:-8, 8:-8], atol=0.02, rtol=0.01)


def test_fit__is_not_moved_by_a_background() -> None:
    points = sphere(2.0)
    target = points * 1.3 + torch.tensor([0.2, -0.1, 4.0])[:, None, None]
    target[:, :, :10] = torch.tensor([0.0, 0.0, 30.0])[:, None, None]
    scale, shift = fit(points, target, torch.ones(64, 48))
    assert float(scale) == pytest.approx(1.3, abs=0.01)
    torch.testing.assert_close(shift, torch.tensor([0.2, -0.1, 4.0]), atol=0.03, rtol=0)


def test_fit__relief_that_has_nothing_to_do_with_the_whole_is_flattened() -> None:
    torch.manual_seed(0)
    scale, _ = fit(torch.randn(3, 64, 48), sphere(3.0), torch.ones(64, 48))
    assert float(scale) < 0.05


def test_turn_to__is_a_rotation_onto_the_ray() -> None:
    turn = turn_to(CROP, FOCAL)
    torch.testing.assert_close(turn @ turn.T, torch.eye(3, dtype=turn.dtype))
    ray = turn @ torch.tensor([0.0, 0.0, 1.0], dtype=turn.dtype)
    assert float(ray[0] / ray[2]) == pytest.approx((448 - 320) / FOCAL)
    assert torch.equal(turn_to(CROP, math.nan), torch.eye(3))
