"""From raw outputs to points: recorded numbers, odd sizes, scales of every kind, and the camera they imply."""

import math

import numpy as np
import pytest
import torch
from helpers_dense import ODD_SIZES_HW, PICTURES, assert_same, golden, make_meta, random_picture

from sapiens.errors import InputError
from sapiens.imaging.geometry import Letterbox
from sapiens.tasks.pointmap.process import PointmapOptions, forward, intrinsics, smooth, to_metric, to_picture_size
from sapiens.tasks.pointmap.result import PointmapResult

NETWORK_HW = (48, 36)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("compat", ["default", "reference"])
def test_postprocess__equals_the_original(recorded, name, compat):
    stored, result = golden("pointmap"), recorded(name, compat)
    np.testing.assert_allclose(result.points[result.mask], stored[f"points_{name}"], rtol=0, atol=2e-5)
    depth, expected = result.depth_f16(), stored[f"depth_f16_{name}"]
    assert depth.dtype == expected.dtype
    np.testing.assert_allclose(depth.astype(float), expected.astype(float), rtol=1e-3)
    assert result.metric
    assert result.meta.notes == ()


@pytest.mark.parametrize("size_hw", [*ODD_SIZES_HW, (7, 900), (900, 7), (2, 3)], ids=str)
def test_postprocess__any_size_comes_back_at_its_size(finish, size_hw):
    result = finish(np.random.default_rng(0).normal(0, 1, (3, 32, 24)), 0.5, random_picture(size_hw))
    assert result.points.shape == (*size_hw, 3)
    assert result.depth_m.shape == size_hw
    assert np.isfinite(result.points).all()
    assert result.points.flags.c_contiguous
    assert result.focal_px > 0


def test_to_metric__batch_of_mixed_scales_equals_singles():
    maps = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([[0.5], [2.0], [-0.12], [0.0]])
    for everywhere in (False, True):
        together = to_metric(maps, scale, everywhere=everywhere)
        alone = torch.cat([to_metric(maps[i : i + 1], scale[i : i + 1], everywhere=everywhere) for i in range(4)])
        torch.testing.assert_close(together, alone, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(to_metric(maps, scale)[:2], maps[:2] / scale[:2, :, None, None], rtol=0, atol=0)


@pytest.mark.parametrize("scale", [-0.12, 0.0, math.nan, math.inf], ids=str)
def test_postprocess__unusable_scale_leaves_canonical_points(finish, scale):
    maps, image = np.random.default_rng(0).normal(2, 1, (3, *NETWORK_HW)), random_picture((20, 30))
    result = finish(maps, scale, image)
    np.testing.assert_array_equal(result.points, finish(maps, 1.0, image).points)
    assert result.metric is False
    assert np.isnan(result.focal_px)
    assert np.isnan(result.intrinsics).all()
    assert result.meta.notes == (f"scale {scale:.3g} is not positive: points are in canonical units",)


def test_postprocess__reference_divides_by_a_negative_scale(finish):
    maps, image = np.random.default_rng(0).normal(2, 1, (3, *NETWORK_HW)), random_picture((20, 30))
    result = finish(maps, -0.5, image, compat="reference")
    np.testing.assert_allclose(result.points, finish(maps, 0.5, image).points * -1, atol=1e-6)
    assert not result.metric
    assert "divided by it all the same" in result.meta.notes[0]


@pytest.mark.parametrize(("picture_hw", "smoothed"), [((49, 20), True), ((48, 36), False), ((10, 30), False)], ids=str)
def test_to_picture_size__smooths_only_what_must_grow(picture_hw, smoothed):
    letterbox = Letterbox(picture_hw, NETWORK_HW)
    maps = torch.randn(1, 3, *NETWORK_HW, generator=torch.Generator().manual_seed(0))
    same = torch.equal(to_picture_size(maps, letterbox), letterbox.restore(maps))
    assert same is not smoothed


def test_smooth__keeps_ramps_inside_and_the_mean_level():
    ramp = torch.arange(20.0).expand(1, 3, 9, 20)
    torch.testing.assert_close(smooth(ramp)[..., 4:-4], ramp[..., 4:-4])
    torch.testing.assert_close(smooth(torch.full((1, 3, 1, 7), 2.5)), torch.full((1, 3, 1, 7), 2.5))


def test_smooth__one_pass_has_the_published_weights(monkeypatch):
    monkeypatch.setattr("sapiens.tasks.pointmap.process.SMOOTHING_PASSES", 1)
    spot = torch.zeros(1, 1, 5, 5)
    spot[0, 0, 2, 2] = 1
    line = np.array([math.exp(-1 / 1.28), 1, math.exp(-1 / 1.28)])
    line /= line.sum()
    np.testing.assert_allclose(smooth(spot)[0, 0, 1:4, 1:4].numpy(), np.outer(line, line), rtol=1e-6)


@pytest.mark.parametrize(
    ("picture_hw", "fx"), [((600, 400), 500.0), ((401, 997), 1234.5), ((40, 30), 25.0)], ids=["tall", "wide", "small"]
)
def test_postprocess__gives_back_the_camera_of_a_synthetic_scene(finish, picture_hw, fx):
    """A slanted plane seen by a known camera, letterboxed and scaled as the training targets are."""
    height, width = picture_hw
    letterbox = Letterbox(picture_hw, (64, 48))
    inner_h, inner_w = letterbox.content_hw
    left, _, top, _ = letterbox.pad_lrtb
    u = (np.arange(48) - left + 0.5) * width / inner_w - 0.5
    v = (np.arange(64) - top + 0.5) * height / inner_h - 0.5
    fy = fx * inner_w / width * height / inner_h
    rays = np.stack(np.broadcast_arrays((u[None] - (width - 1) / 2) / fx, (v[:, None] - (height - 1) / 2) / fy, 1.0))
    depth = 1 / (0.4 + 0.01 * rays[0])
    scale = 768 / (fx * inner_w / width)
    result = finish(rays * depth * scale, scale, random_picture(picture_hw))
    assert result.focal_px == pytest.approx(fx, rel=1e-6)
    np.testing.assert_allclose(result.intrinsics[1], [0, fy, (height - 1) / 2], rtol=1e-6)
    projected = result.points @ result.intrinsics.T
    inside = (slice(height // 4, -(height // 4)), slice(width // 4, -(width // 4)))
    pixels = projected[inside][..., :2] / projected[inside][..., 2:]
    expected = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)[inside]
    np.testing.assert_allclose(pixels, expected, atol=0.02 * width / inner_w)


def test_intrinsics__axes_differ_by_the_truncated_pixels():
    letterbox = Letterbox((1070, 1070), (1024, 768))
    inner_h, inner_w = letterbox.content_hw
    matrix = intrinsics(1.5, letterbox, 768.0)
    assert matrix.dtype == np.float64
    assert matrix[0, 0] == pytest.approx(512 * 1070 / inner_w)
    assert matrix[1, 1] == pytest.approx(512 * 1070 / inner_h)
    np.testing.assert_array_equal(matrix[:2, 2], [534.5, 534.5])


def test_options__canonical_focal_scales_the_camera_alone(finish):
    maps, image = np.random.default_rng(0).normal(2, 1, (3, *NETWORK_HW)), random_picture((20, 30))
    usual, half = finish(maps, 0.7, image), finish(maps, 0.7, image, canonical_focal_px=384.0)
    assert half.focal_px == pytest.approx(usual.focal_px / 2)
    np.testing.assert_array_equal(half.points, usual.points)


@pytest.mark.parametrize("focal", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_options__refuse_what_is_no_focal_length(focal):
    with pytest.raises(InputError, match="canonical_focal_px: expected a positive number"):
        PointmapOptions(canonical_focal_px=focal)


def test_forward__names_what_the_network_returns():
    maps, scale = torch.zeros(2, 3, 4, 5), torch.ones(2, 1)
    raw = forward(lambda x: (maps, scale), torch.zeros(2, 3, 4, 5), None)
    assert raw["pointmap"] is maps
    assert raw["scale"] is scale


@pytest.mark.parametrize("masked", [False, True], ids=["everything", "masked"])
@pytest.mark.parametrize("scale", [0.8, -0.8], ids=["metric", "canonical"])
def test_result__npz_round_trip(finish, tmp_path, scale, masked):
    result = finish(np.random.default_rng(0).normal(2, 1, (3, *NETWORK_HW)), scale, random_picture((20, 30)))
    if masked:
        result = result.with_mask(random_picture((20, 30))[..., 0] > 99)
    again = PointmapResult.load(result.save(tmp_path / "r.npz"))
    assert_same(result, again)
    assert (again.mask is not None) is masked
    assert (again.scale, again.metric) == (result.scale, result.metric)
    assert isinstance(again.scale, float)
    assert isinstance(again.metric, bool)


def test_result__masks_leave_the_arrays_alone(slanted):
    result = slanted()
    mask = np.zeros((4, 5), bool)
    masked = result.with_mask(mask)
    assert masked.points is result.points
    assert not masked.foreground().any()
    assert result.foreground().all()
    with pytest.raises(InputError, match="mask"):
        result.with_mask(mask[:2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"points": np.zeros((4, 4, 3), np.float32)}, r"points: expected shape \(4, 5, 3\)", id="size"),
        pytest.param({"points": np.zeros((4, 5, 3))}, "points: expected float32, got float64", id="points dtype"),
        pytest.param({"intrinsics": np.zeros((3, 4))}, r"intrinsics: expected shape \(3, 3\)", id="intrinsics shape"),
        pytest.param({"intrinsics": np.eye(3, dtype=np.float32)}, "intrinsics: expected float64", id="camera dtype"),
        pytest.param({"mask": np.zeros((2, 2), bool)}, "mask: expected shape", id="mask"),
    ],
)
def test_result__checks_its_own_arrays(slanted, changes, message):
    with pytest.raises(InputError, match=message):
        slanted(**changes)


def test_result__depth_beyond_float16_is_infinite():
    points = np.full((1, 1, 3), 1e6, np.float32)
    result = PointmapResult(
        meta=make_meta("pointmap", (1, 1)), points=points, scale=1.0, metric=True, intrinsics=np.eye(3)
    )
    assert result.depth_f16()[0, 0] == np.inf
