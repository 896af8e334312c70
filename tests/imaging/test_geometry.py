"""Stretch, letterbox and box crop: against the recorded pipeline, their inverses, and inputs that cannot be used."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sapiens.errors import InputError
from sapiens.imaging.geometry import BoxCrop, Letterbox, Stretch, resize_maps

GOLDEN = Path(__file__).parents[1] / "golden/io"
OPENCV = cv2.__version__.split(".")[0]
SMALL, LARGE = (128, 96), (1024, 768)


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def dense() -> dict[str, np.ndarray]:
    return recorded("dense_preprocess")


@pytest.fixture(scope="module")
def crops() -> dict[str, np.ndarray]:
    return recorded(f"pose_crops_cv{OPENCV}")


def picture(dense: dict[str, np.ndarray], case: str) -> np.ndarray:
    base, how = json.loads(str(dense["recipes"]))[case]
    times, height, width = how if isinstance(how, list) else (how or 1, None, None)
    return np.ascontiguousarray(dense[f"image_{base}"].repeat(times, 0).repeat(times, 1)[:height, :width, ::-1])


def assert_close(image: np.ndarray, expected_bgr: np.ndarray, most: int, mean: float) -> None:
    difference = np.abs(image[..., ::-1].astype(int) - expected_bgr)
    assert difference.max() <= most
    assert difference.mean() <= mean


CASES = ("landscape_small", "portrait_small", "landscape_big", "portrait_big", "narrow_tall", "wide_low", "round_down")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("task", "enlarge"), [("seg", "cubic"), ("matting", "linear")])
def test_stretch__golden(dense, case: str, task: str, enlarge) -> None:
    image = picture(dense, case)
    large = Stretch(image.shape[:2], LARGE, enlarge).apply(image)
    assert_close(large[::16, ::16], dense[f"{task}_{case}_u8_every16"], 1, 0.01)
    if f"{task}_{case}_128x96_u8" in dense:
        assert_close(Stretch(image.shape[:2], SMALL, enlarge).apply(image), dense[f"{task}_{case}_128x96_u8"], 1, 0.01)


@pytest.mark.parametrize("case", CASES)
def test_letterbox__golden(dense, case: str) -> None:
    image = picture(dense, case)
    box = Letterbox(image.shape[:2], LARGE)
    assert box.pad_lrtb == tuple(dense[f"normal_{case}_pad_lrtb"])
    assert_close(box.apply(image)[::16, ::16], dense[f"normal_{case}_u8_every16"], 1, 0.01)
    if f"normal_{case}_128x96_u8" in dense:
        small = Letterbox(image.shape[:2], SMALL)
        assert small.pad_lrtb == tuple(dense[f"normal_{case}_128x96_pad_lrtb"])
        assert_close(small.apply(image), dense[f"normal_{case}_128x96_u8"], 1, 0.01)


@pytest.mark.parametrize("kind", ["small", "big"])
def test_box_crop__golden_geometry(kind: str) -> None:
    expected = recorded("pose_geometry")
    for i, box in enumerate(expected[f"{kind}_bbox"]):
        crop = BoxCrop.from_box(box, LARGE)
        np.testing.assert_allclose(crop.center_xy, expected[f"{kind}_center"][i], atol=1e-3)
        np.testing.assert_allclose(crop.scale_xy, expected[f"{kind}_scale"][i], atol=1e-3)
        np.testing.assert_allclose(crop.matrix, expected[f"{kind}_warp"][i], rtol=1e-5, atol=1e-4)
        small = BoxCrop.from_box(box, SMALL).matrix
        np.testing.assert_allclose(small, expected[f"{kind}_warp_128x96"][i], rtol=1e-5, atol=1e-4)
        assert crop.matrix.dtype == np.float32
        assert crop.cubic == expected[f"{kind}_is_cubic"][i]


@pytest.mark.parametrize("kind", ["small", "big"])
def test_box_crop__golden_pixels(crops, kind: str) -> None:
    times = {"small": 1, "big": 6}[kind]
    image = np.ascontiguousarray(crops["image"][..., ::-1].repeat(times, 0).repeat(times, 1))
    for i, box in enumerate(crops[f"{kind}_bbox"]):
        large = BoxCrop.from_box(box, LARGE).apply(image)
        assert_close(large[::16, ::16], crops[f"{kind}_crop_1024x768_every16"][i], 1, 0.02)
        assert_close(BoxCrop.from_box(box, SMALL).apply(image), crops[f"{kind}_crop_128x96"][i], 1, 0.02)


def test_box_crop__other_opencv_stays_within_documented_bounds(crops) -> None:
    image = np.ascontiguousarray(crops["image"][..., ::-1])
    other = recorded(f"pose_crops_cv{'4' if OPENCV == '5' else '5'}")
    for i, box in enumerate(other["small_bbox"]):
        assert_close(BoxCrop.from_box(box, SMALL).apply(image), other["small_crop_128x96"][i], 4, 0.08)


SIZES = [(1, 1), (1, 5000), (5000, 1), (2, 3), (101, 83), (1070, 1070), (96, 128), (128, 96), (997, 13)]


@pytest.mark.parametrize("source_hw", SIZES, ids=str)
@pytest.mark.parametrize("target_hw", [SMALL, (33, 47)], ids=str)
def test_whole_picture__any_size_in_and_back(source_hw, target_hw) -> None:
    image = np.full((*source_hw, 3), 200, np.uint8)
    for geometry in (Stretch(source_hw, target_hw, "cubic"), Letterbox(source_hw, target_hw)):
        out = geometry.apply(image)
        assert out.shape == (*target_hw, 3)
        assert out.dtype == np.uint8
        maps = torch.from_numpy(out).permute(2, 0, 1).float()
        back = geometry.restore(maps[None, None])
        assert back.shape == (1, 1, 3, *source_hw)
        # A picture of one colour comes back as it was: no padding leaks in.
        torch.testing.assert_close(back, torch.full_like(back, 200))


@pytest.mark.parametrize("source_hw", SIZES, ids=str)
def test_letterbox__padding_and_content_fill_the_target(source_hw) -> None:
    box = Letterbox(source_hw, SMALL)
    left, right, top, bottom = box.pad_lrtb
    height, width = box.content_hw
    assert (top + height + bottom, left + width + right) == SMALL
    assert min(box.pad_lrtb) >= 0
    assert right - left in (0, 1)
    assert bottom - top in (0, 1)
    assert min(height, width) >= 1


def test_letterbox__truncates_as_the_original() -> None:
    assert Letterbox((1070, 1070), LARGE).content_hw == (767, 767)
    assert Letterbox((1070, 1070), LARGE).pad_lrtb == (0, 1, 128, 129)


def geometries():
    yield "enlarging stretch", Stretch((50, 31), SMALL, "cubic"), (50, 31)
    yield "shrinking stretch", Stretch((901, 777), SMALL, "linear"), (901, 777)
    yield "letterbox with a pad column", Letterbox((1070, 1070), LARGE), (1070, 1070)
    yield "letterbox of a line", Letterbox((3, 400), SMALL), (3, 400)
    yield "crop", BoxCrop.from_box((10.25, 20.5, 90.125, 300), SMALL), (400, 300)
    yield "large crop", BoxCrop.from_box((-500, 1000, 1500, 1800), LARGE), (2000, 2000)


@pytest.mark.parametrize(("geometry", "hw"), [pytest.param(g, hw, id=name) for name, g, hw in geometries()])
def test_points__to_input_and_back(geometry, hw) -> None:
    points = np.random.default_rng(3).uniform(-50, max(hw) + 50, (4, 7, 2))
    inside = geometry.points_to_input(points)
    assert inside.shape == points.shape
    np.testing.assert_allclose(geometry.points_to_source(inside), points, atol=1e-8)
    np.testing.assert_allclose(geometry.points_to_input(geometry.points_to_source(points)), points, atol=1e-8)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda hw: Stretch(hw, (256, 192), "linear"), id="stretch"),
        pytest.param(lambda hw: Letterbox(hw, (256, 192)), id="letterbox"),
        pytest.param(lambda hw: BoxCrop.from_box((20, 30, 70, 110), (256, 192)), id="crop"),
    ],
)
def test_points__follow_the_pixels(make) -> None:
    """A bright blob lands where `points_to_input` says."""
    yy, xx = np.mgrid[:120, :100]
    blob = np.exp(-((xx - 41.3) ** 2 + (yy - 77.6) ** 2) / 60)
    image = np.repeat((255 * blob).round().astype(np.uint8)[..., None], 3, 2)
    geometry = make((120, 100))
    weights = geometry.apply(image)[..., 0].astype(float)
    rows, columns = np.mgrid[:256, :192]
    centroid = [(weights * axis).sum() / weights.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(geometry.points_to_input((41.3, 77.6)), centroid, atol=0.05)


def test_letterbox__restore_is_cut_then_resize() -> None:
    maps = torch.randn(2, 3, *SMALL, generator=torch.Generator().manual_seed(0))
    box = Letterbox((83, 101), SMALL)
    left, right, top, bottom = box.pad_lrtb
    cut = maps[..., top : 128 - bottom, left : 96 - right]
    assert torch.equal(box.cut(maps), cut)
    assert torch.equal(box.restore(maps), resize_maps(cut, (83, 101)))


@pytest.mark.parametrize("size_hw", [(64, 96), (127, 96), (100, 75)], ids=["another aspect", "a row less", "no factor"])
def test_letterbox__maps_of_another_size(size_hw: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="expected maps of 128x96"):
        Letterbox((83, 101), SMALL).restore(torch.zeros(1, 3, *size_hw))


def test_letterbox__maps_of_a_quarter_are_enlarged_first() -> None:
    """What the 4K models' heads give: the padding need not end on a cell of such maps."""
    box, maps = Letterbox((83, 101), SMALL), torch.randn(1, 3, 32, 24)
    assert torch.equal(box.restore(maps), box.restore(resize_maps(maps, SMALL)))


def test_box_crop__corners_are_the_padded_box() -> None:
    crop = BoxCrop.from_box((100, 100, 160, 180), SMALL)  # exactly 3:4
    np.testing.assert_allclose(crop.points_to_source((0, 0)), (130 - 37.5, 140 - 50), atol=1e-4)
    np.testing.assert_allclose(crop.points_to_source((95, 127)), (130 + 37.5, 140 + 50), atol=1e-4)


def test_box_crop__black_outside() -> None:
    out = BoxCrop.from_box((-40, -40, 40, 40), SMALL).apply(np.full((60, 60, 3), 255, np.uint8))
    assert out[0, 0].tolist() == [0, 0, 0]
    assert out[64 + 20, 48 + 20].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        pytest.param((5, 5, 5, 20), "no width or height", id="zero width"),
        pytest.param((5, 30, 9, 20), "no width or height", id="upside down"),
        pytest.param((5, 5, 5 + 1e-9, 20), "no width or height", id="width lost in float32"),
        pytest.param((math.nan, 0, 1, 1), "finite", id="nan"),
        pytest.param((0, 0, math.inf, 1), "finite", id="infinite"),
        pytest.param((2e7, 0, 3e7, 1e7), "from the picture", id="far outside"),
        pytest.param((1, 2, 3), "four numbers", id="three numbers"),
        pytest.param(("a", "b", "c", "d"), "four numbers", id="words"),
    ],
)
def test_box_crop__unusable_box(box, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        BoxCrop.from_box(box, SMALL)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("box ")


def test_box_crop__nothing_of_the_picture() -> None:
    crop = BoxCrop.from_box((500, 500, 600, 600), SMALL)
    with pytest.raises(InputError, match="outside the picture, which is 60x50"):
        crop.apply(np.zeros((50, 60, 3), np.uint8))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Stretch((0, 5), SMALL, "cubic"), id="empty picture"),
        pytest.param(lambda: Letterbox((5, 5), (0, 4)), id="empty target"),
        pytest.param(lambda: Stretch((5, 5), SMALL, "area"), id="unknown filter"),
        pytest.param(lambda: BoxCrop((0, 0), (1, 0), SMALL), id="crop without height"),
        pytest.param(lambda: BoxCrop((0, math.nan), (1, 1), SMALL), id="crop at nan"),
        pytest.param(lambda: BoxCrop((0, 0), (1, 1), (1, 96)), id="crop to a line"),
        pytest.param(lambda: BoxCrop.from_box((0, 0, 5, 5), SMALL, padding=0), id="no padding factor"),
    ],
)
def test_geometry__refuses(make) -> None:
    with pytest.raises(InputError):
        make()


def test_apply__picture_of_another_size() -> None:
    with pytest.raises(InputError, match=r"expected a picture of shape \(5, 6, 3\)"):
        Letterbox((5, 6), SMALL).apply(np.zeros((6, 5, 3), np.uint8))
