import warnings

import cv2
import numpy as np
import pytest
import torch

from sapiens.bench.decode import decode_map_by_map, run
from sapiens.errors import InputError
from sapiens.tasks.pose.codec import blur, decode, encode, find_peaks

INPUT_HW, GRID_HW = (1024, 768), (256, 192)


def crop_pixels(peaks_uv, grid_hw, input_hw):
    """Cells to pixels of the network input, as the original counts them."""
    grid, size = np.array(grid_hw[::-1]), np.array(input_hw[::-1])
    return peaks_uv.numpy().astype(np.float64) / (grid - 1) * size


def original(maps):
    """The original's decoding of one person's (K, h, w) maps, plainly: one flat index over all bordered maps."""
    count, height, width = maps.shape
    logs, peaks, scores = [], [], []
    with np.errstate(all="ignore"):
        for heatmap in maps:
            row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
            scores.append(heatmap.max())
            peaks.append((column, row) if heatmap.max() > 0 else (-1, -1))
            blurred = cv2.GaussianBlur(np.pad(heatmap, 5), (11, 11), 0)[5:-5, 5:-5]
            scaled = blurred * (heatmap.max() / blurred.max())
            logs.append(np.pad(np.log(np.clip(scaled, 0.001, 50)), 1, mode="edge"))
    flat, line = np.concatenate(logs, None).astype(np.float64), width + 2
    x, y = np.array(peaks).T
    at = np.arange(count) * line * (height + 2) + (y + 1) * line + x + 1
    gx, gy = (flat[at + 1] - flat[at - 1]) / 2, (flat[at + line] - flat[at - line]) / 2
    hxx = flat[at + 1] - 2 * flat[at] + flat[at - 1]
    hyy = flat[at + line] - 2 * flat[at] + flat[at - line]
    hxy = flat[at + line + 1] - flat[at + 1] - flat[at + line] + 2 * flat[at]
    hxy = (hxy - flat[at - 1] - flat[at - line] + flat[at - line - 1]) / 2
    hessian = np.stack([hxx, hxy, hxy, hyy], -1).reshape(-1, 2, 2) + np.finfo(np.float32).eps * np.eye(2)
    steps = np.einsum("kij,kj->ki", np.linalg.inv(hessian), np.stack([gx, gy], -1))
    return (np.array(peaks) - steps).astype(np.float32), np.array(scores)


def assert_near(points, expected, peaks):
    """Equal but for rounding, which a nearly singular Hessian amplifies with the square of the step."""
    steps = np.linalg.norm(expected - peaks, axis=-1, keepdims=True)
    np.testing.assert_array_equal(np.isnan(points), np.isnan(expected))
    assert (np.nan_to_num(np.abs(points - expected) - 1e-3 * (1 + steps**2), nan=-1) <= 0).all()


# Encoding


def test_encode__recorded_targets(codec_golden) -> None:
    keypoints, visible = (torch.from_numpy(codec_golden[f"enc_{name}"]) for name in ("keypoints", "visible"))
    heatmaps, weights = encode(keypoints, visible, INPUT_HW, GRID_HW)
    np.testing.assert_allclose(heatmaps[0], codec_golden["enc_heatmaps"], atol=1e-5)
    np.testing.assert_array_equal(weights, codec_golden["enc_weights"])
    assert heatmaps.dtype == weights.dtype == torch.float32


@pytest.mark.parametrize(
    ("x", "weight", "filled"),
    [
        # Negative positions are rounded towards zero.
        pytest.param(-19.0, 1.0, True, id="window reaches in by a cell"),
        pytest.param(-20.0, 1.0, False, id="window just outside, counted all the same"),
        pytest.param(-21.0, 0.0, False, id="beyond"),
        pytest.param(191 + 18.0, 1.0, True, id="right edge"),
        pytest.param(191 + 19.0, 0.0, False, id="right of it"),
        pytest.param(float("nan"), 0.0, False, id="not a number"),
    ],
)
def test_encode__edges(x: float, weight: float, filled: bool) -> None:
    # With as many pixels as cells, pixels are cells.
    heatmaps, weights = encode(torch.tensor([[x, 50.0]]), torch.ones(1), GRID_HW, GRID_HW)
    assert weights.item() == weight
    assert bool(heatmaps.any()) is filled
    assert heatmaps.isfinite().all()


def test_encode__invisible_points_have_an_empty_map_and_keep_their_weight() -> None:
    places = torch.tensor([[10.0, 10.0], [-1e4, 0.0]])
    heatmaps, weights = encode(places, torch.tensor([0.25, 0.0]), INPUT_HW, GRID_HW)
    assert not heatmaps.any()
    assert weights.tolist() == [0.25, 0]


def test_encode__any_leading_axes() -> None:
    places, visible = torch.rand(3, 2, 5, 2) * 700, torch.ones(3, 2, 5)
    heatmaps, weights = encode(places, visible, INPUT_HW, (64, 48))
    assert heatmaps.shape == (3, 2, 5, 64, 48)
    assert weights.shape == (3, 2, 5)
    alone, _ = encode(places[1, 1], visible[1, 1], INPUT_HW, (64, 48))
    assert torch.equal(heatmaps[1, 1], alone)


def test_encode__shapes_that_do_not_belong_together() -> None:
    with pytest.raises(InputError, match="encode: keypoints"):
        encode(torch.zeros(1, 5, 2), torch.ones(1, 4), INPUT_HW, GRID_HW)


def test_encode_decode__round_trip() -> None:
    places = 40 + torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([680.0, 940.0])
    heatmaps, _ = encode(places, torch.ones(1, 50), INPUT_HW, GRID_HW)
    found = decode(heatmaps).peaks_uv / torch.tensor([191, 255]) * torch.tensor([767, 1023])
    assert (found - places).abs().max() < 0.01


# Decoding: recorded values


def test_decode__recorded_full_size_maps(codec_golden) -> None:
    rows = codec_golden["dec_full_index"]
    found = decode(torch.from_numpy(codec_golden["enc_heatmaps"][rows])[None], compat="reference")
    np.testing.assert_allclose(
        crop_pixels(found.peaks_uv, GRID_HW, INPUT_HW), codec_golden["dec_full_keypoints"], atol=2e-3
    )
    np.testing.assert_allclose(found.scores, codec_golden["dec_full_scores"], atol=1e-6)


@pytest.mark.parametrize("case", ["clean", "noisy"])
def test_decode__recorded_small_maps(case: str, codec_golden, maps_from_params) -> None:
    if case == "clean":
        maps = maps_from_params(codec_golden["small_clean_params"], 64, 48)
    else:
        maps = codec_golden["small_noisy_maps"].astype(np.float32)
    found = decode(torch.from_numpy(maps)[None], compat="reference")
    expected = codec_golden[f"small_{case}_keypoints"]
    tolerance = np.where(np.abs(codec_golden[f"small_{case}_det"]) > 1e-3, 2e-3, 0.05)[:, None]
    assert (np.abs(crop_pixels(found.peaks_uv, (64, 48), (256, 192)) - expected)[0] <= tolerance).all()
    np.testing.assert_allclose(found.scores, codec_golden[f"small_{case}_scores"], atol=1e-6)
    peaks, scores = find_peaks(torch.from_numpy(maps)[None])
    positive = scores[0] > 0
    np.testing.assert_array_equal(peaks[0][positive], codec_golden[f"small_{case}_peak"][positive])


def test_blur__recorded(codec_golden) -> None:
    maps = torch.from_numpy(codec_golden["small_noisy_maps"][:3].astype(np.float32))
    blurred = blur(maps)
    rescaled = blurred * (maps.amax((1, 2)) / blurred.amax((1, 2)))[:, None, None]
    np.testing.assert_allclose(rescaled, codec_golden["small_noisy_blurred_first3"], atol=1e-5)


@pytest.mark.parametrize("size_hw", [(2, 2), (8, 6), (33, 65), (64, 48)], ids=str)
def test_blur__is_opencv_with_zeros_outside(size_hw: tuple[int, int]) -> None:
    maps = torch.randn(3, *size_hw, generator=torch.Generator().manual_seed(0))
    expected = [cv2.GaussianBlur(m, (11, 11), 0, borderType=cv2.BORDER_CONSTANT) for m in maps.numpy()]
    np.testing.assert_allclose(blur(maps), np.stack(expected), atol=1e-6)


# Decoding: against the plain ways of writing it


def sample(seed, count, height, width):
    """Blobs of all sizes, many at the very edge, with noise from none to strong."""
    random = np.random.default_rng(seed)
    cx, cy = random.uniform(-2, width + 1, count), random.uniform(-2, height + 1, count)
    cx = np.where(random.random(count) < 0.3, random.choice([0, width - 1], count), cx)
    cy = np.where(random.random(count) < 0.3, random.choice([0, height - 1], count), cy)
    s, top = random.uniform(0.7, 7, count), 10 ** random.uniform(-3.5, 2.2, count)
    rows = np.exp(-((np.arange(height) - cy[:, None]) ** 2) / (2 * s[:, None] ** 2))
    columns = np.exp(-((np.arange(width) - cx[:, None]) ** 2) / (2 * s[:, None] ** 2))
    noise = random.normal(0, 1, (count, height, width)) * (random.choice([0, 1e-3, 0.1], count) * top)[:, None, None]
    return (rows[:, :, None] * columns[:, None, :] * top[:, None, None] + noise).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size_hw", [(2, 2), (3, 2), (8, 6), (13, 13), (64, 48), (100, 31)], ids=str)
def test_decode__equals_map_by_map(size_hw: tuple[int, int], seed: int) -> None:
    maps = sample(seed, 60, *size_hw)[None]
    found, (points, scores) = decode(torch.from_numpy(maps)), decode_map_by_map(maps)
    positive, peaks = scores > 0, find_peaks(torch.from_numpy(maps))[0].numpy()
    assert_near(found.peaks_uv.numpy()[positive], points[positive], peaks[positive])
    np.testing.assert_array_equal(found.scores, scores)


@pytest.mark.parametrize("level", [3e-4, 3e-3, 0.03, 3.0], ids=str)
def test_decode__noise_alone_equals_map_by_map(level: float) -> None:
    maps = np.random.default_rng(0).normal(0, level, (1, 40, 64, 48)).astype(np.float32)
    found = decode(torch.from_numpy(maps)).peaks_uv
    assert_near(found.numpy(), decode_map_by_map(maps)[0], find_peaks(torch.from_numpy(maps))[0].numpy())


@pytest.mark.parametrize("seed", range(4))
def test_decode__reference_addresses_maps_as_the_original(seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = sample(seed, 40, 12, 9) + random.choice([0, -1e-3, -10], 40)[:, None, None].astype(np.float32)
    maps[random.random(40) < 0.2] *= -1
    maps[random.random(40) < 0.15] = 0
    maps[:, -1, 0] += random.choice([0, 0.02], 40)  # what the map after it may read
    expected, scores = original(maps)
    assert np.isnan(expected).any()
    assert (expected[scores <= 0] != -1).any()
    found = decode(torch.from_numpy(maps)[None], compat="reference")
    assert_near(found.peaks_uv.numpy()[0], expected, np.nan_to_num(expected, nan=0))
    np.testing.assert_array_equal(found.scores[0], scores)


# Decoding: what is special


@pytest.mark.parametrize(
    ("value", "reference"),
    [pytest.param(0.0, float("nan"), id="zero"), pytest.param(-0.5, -1.0, id="negative")],
)
def test_decode__map_without_a_positive_value(value: float, reference: float) -> None:
    maps = torch.full((1, 2, 16, 12), value)
    found = decode(maps)
    assert found.peaks_uv.tolist() == [[[0, 0], [0, 0]]]
    assert found.scores.tolist() == [[value, value]]
    as_before = decode(maps, compat="reference")
    np.testing.assert_array_equal(as_before.peaks_uv, np.full((1, 2, 2), reference, np.float32))
    assert as_before.scores.tolist() == [[value, value]]


def test_decode__largest_of_only_negative_values_is_the_point() -> None:
    maps = torch.full((1, 1, 16, 12), -1.0)
    maps[0, 0, 9, 4] = -0.25
    found = decode(maps)
    assert found.peaks_uv.tolist() == [[[4, 9]]]
    assert found.scores.item() == -0.25


def test_decode__always_finite_by_default() -> None:
    random = torch.Generator().manual_seed(0)
    # The centre of a zero window is the blurred maximum there, exactly zero: the original divides by it.
    maps = -torch.rand(1, 4, 32, 24, generator=random)
    maps[0, 0, 5:20, 5:20] = 0
    maps[0, 1, 10, 10] = 1e-30
    maps[0, 2] = 1e30
    maps[0, 3] = 1e-3
    assert decode(maps).peaks_uv.isfinite().all()


@pytest.mark.parametrize("height", [1e-4, 0.5, 60.0], ids=["faint", "usual", "above the clip"])
def test_decode__flat_map_stays_at_its_first_cell(height: float) -> None:
    maps = torch.full((1, 1, 40, 30), height)
    maps[..., :10, :], maps[..., :10] = 0, 0
    points = decode(maps).peaks_uv
    assert_near(points.numpy()[0], decode_map_by_map(maps.numpy())[0][0], np.array([[10, 10]]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((3, 4), (3, 20), id="one row"),
        pytest.param((3, 20), (9, 4), id="a later row further left"),
        pytest.param((0, 0), (31, 23), id="corners"),
    ],
)
def test_find_peaks__ties_go_to_the_first_in_row_order(first: tuple[int, int], second: tuple[int, int]) -> None:
    maps = torch.zeros(2, 3, 32, 24)
    maps[:, :, first[0], first[1]] = maps[:, :, second[0], second[1]] = 0.5
    peaks, scores = find_peaks(maps)
    assert (peaks == torch.tensor(first[::-1])).all()
    assert (scores == 0.5).all()


def test_decode__two_cells_of_equal_height_meet_in_the_middle() -> None:
    maps = torch.zeros(1, 1, 32, 24)
    maps[0, 0, 15, 11] = maps[0, 0, 15, 12] = 0.5
    x, y = decode(maps).peaks_uv[0, 0].tolist()
    assert x == pytest.approx(11.5, abs=0.01)
    assert y == pytest.approx(15, abs=1e-4)


@pytest.mark.parametrize("compat", ["default", "reference"])
def test_decode__batch_equals_singles(compat) -> None:
    maps = torch.from_numpy(sample(0, 90, 32, 24)).view(3, 30, 32, 24)
    maps[:, ::7] *= -1
    together = decode(maps, compat=compat)
    for person in range(3):
        alone = decode(maps[person : person + 1], compat=compat)
        np.testing.assert_allclose(together.peaks_uv[person], alone.peaks_uv[0], atol=1e-5)
        assert torch.equal(together.scores[person], alone.scores[0])


def test_decode__memory_layout_does_not_matter() -> None:
    maps = torch.from_numpy(sample(0, 40, 32, 24)).view(2, 20, 32, 24)
    expected = decode(maps).peaks_uv
    assert torch.equal(decode(maps.contiguous(memory_format=torch.channels_last)).peaks_uv, expected)
    assert torch.equal(decode(maps.repeat(1, 1, 1, 2)[..., :24]).peaks_uv, expected)


def test_decode__nobody() -> None:
    found = decode(torch.zeros(0, 308, 64, 48))
    assert found.peaks_uv.shape == (0, 308, 2)
    assert found.scores.shape == (0, 308)


def test_decode__leaves_its_input_alone() -> None:
    maps = torch.from_numpy(sample(0, 20, 32, 24))[None].requires_grad_()
    before = maps.detach().clone()
    assert not decode(maps).peaks_uv.requires_grad
    assert torch.equal(maps, before)


def test_decode__max_step_keeps_the_peak() -> None:
    maps = torch.randn(1, 60, 64, 48, generator=torch.Generator().manual_seed(0))
    peaks, free, bound = find_peaks(maps)[0], decode(maps).peaks_uv, decode(maps, max_step=1.5).peaks_uv
    far = (free - peaks).norm(dim=-1) > 1.5
    assert far.any()
    assert not far.all()
    assert torch.equal(bound[far], peaks[far].float())
    assert torch.equal(bound[~far], free[~far])


@pytest.mark.parametrize(
    "maps",
    [
        pytest.param(torch.zeros(5, 8, 6), id="three axes"),
        pytest.param(torch.zeros(1, 5, 8, 6, dtype=torch.bfloat16), id="bfloat16"),
        pytest.param(torch.zeros(1, 5, 8, 1), id="one column"),
    ],
)
def test_decode__rejects(maps: torch.Tensor) -> None:
    with pytest.raises(InputError, match="decode: expected heatmaps"):
        decode(maps)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("compat", ["default", "reference"])
def test_decode__cuda_equals_cpu(compat) -> None:
    maps = torch.from_numpy(sample(0, 300, 64, 48)).view(3, 100, 64, 48)
    maps[:, ::7] *= -1
    maps[:, 3] = 0
    expected, found = decode(maps, compat=compat), decode(maps.cuda(), compat=compat)
    points = expected.peaks_uv.flatten(0, 1).numpy()
    assert_near(found.peaks_uv.cpu().flatten(0, 1).numpy(), points, find_peaks(maps)[0].flatten(0, 1).numpy())
    assert torch.equal(found.scores.cpu(), expected.scores)


def test_bench__both_ways_agree() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = run(people=1, repeats=1)
    assert [row["way"] for row in outcome["rows"]] == ["batched", "map by map"] * 2
    assert all(row["ms"] > 0 for row in outcome["rows"])
    difference = float(outcome["remarks"][0].split("largest difference ")[1].split(",")[0])
    assert difference < 2e-3
