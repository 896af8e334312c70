"""Tiles: they cover the picture, meet without seams, keep the network's size, and do not pile up in memory."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers_pieces import DENSE, INPUT_HW, Mirror, mirror, noise, smooth_picture, untrained

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.frame import Frame
from sapiens.inference import collage
from sapiens.inference.collage import Collage, in_order
from sapiens.inference.fleet import Fleet
from sapiens.inference.predictor import Predictor
from sapiens.inference.tiles import tile_windows
from sapiens.inference.windows import at_density, low_part, sample
from sapiens.tasks import get_task
from sapiens.tasks.base import Meta, Prepared, Setup
from sapiens.tasks.pieces import Place, get_pieces


@pytest.mark.parametrize(
    ("size_hw", "shape"),
    [((40, 50), (16, 12)), ((17, 12), (16, 12)), ((40, 6), (8, 6)), ((8, 100), (8, 6)), ((100, 1), (1, 1))],
)
def test_tile_windows__cover_the_picture_at_the_inputs_aspect(size_hw, shape) -> None:
    windows = tile_windows(size_hw, INPUT_HW)
    seen = np.zeros(size_hw)
    for window in windows:
        assert window.place.shape_hw == shape
        assert window.place.rows.start >= 0
        assert window.place.rows.stop <= size_hw[0]
        faded = window.fade(window.place.rows, window.place.columns).numpy()
        seen[window.place.rows, window.place.columns] += faded
        assert faded.min() > 0
    assert seen.min() > 0.01


@pytest.mark.parametrize("size_hw", [(1, 1), (16, 12), (5, 12)])
def test_tile_windows__none_for_a_picture_within_the_input(size_hw) -> None:
    assert tile_windows(size_hw, INPUT_HW) == []


@pytest.mark.parametrize("size_hw", [(40, 50), (70, 30), (9, 61), (40, 6)])
def test_tiles__a_network_that_gives_the_picture_back_shows_no_seam(size_hw) -> None:
    image = smooth_picture(*size_hw)
    whole, tiled = mirror("whole")(image).albedo, mirror("tiles")(image).albedo
    truth = image / np.float32(255)
    assert np.abs(tiled - truth).max() <= np.abs(whole - truth).max() + 2 / 255
    seams = np.abs(np.diff(tiled - truth, axis=0)).max() if size_hw[0] > 1 else 0
    assert max(seams, np.abs(np.diff(tiled - truth, axis=1)).max()) < 0.04


def test_tiles__give_back_detail_that_the_whole_picture_loses() -> None:
    image = noise(64, 48)
    error = {d: np.abs(mirror(d)(image).albedo - image / 255).mean() for d in ("whole", "tiles")}
    assert error["tiles"] < 0.4 * error["whole"]


@pytest.mark.parametrize("size_hw", [(1, 1), (16, 12), (3, 5)])
def test_tiles__small_pictures_are_the_whole_to_the_last_bit(size_hw) -> None:
    image = noise(*size_hw)
    np.testing.assert_array_equal(mirror("tiles")(image).albedo, mirror("whole")(image).albedo)


@pytest.mark.parametrize("task", DENSE)
@pytest.mark.parametrize("size_hw", [(200, 150), (130, 97), (300, 20)])
def test_tiles__every_dense_task_at_odd_sizes(task, size_hw) -> None:
    result = untrained(task).with_detail("tiles")(noise(*size_hw))
    for name, value in result.arrays().items():
        if name in get_pieces(task).arrays:
            assert value.shape[:2] == size_hw
            assert np.isfinite(value).all()


def test_tiles__memory_is_bounded_by_two_columns(monkeypatch) -> None:
    monkeypatch.setattr(collage, "KEPT_BYTES", 0)
    image = smooth_picture(60, 400)
    setup, task = Setup(INPUT_HW, "default", None), get_task("albedo")
    windows = in_order(tile_windows((60, 400), INPUT_HW), (60, 400))
    column = sum(w.place.columns.start == 0 for w in windows)
    pieces = dataclasses.replace(get_pieces("albedo"), low_from_whole=False)
    made = Collage(task, setup, pieces, Frame(image, "p"), windows, tiles=True)
    meta = Meta("p", (60, 400), "albedo", "toy", "toy", "float32", "default")
    parts = [image] + [np.ascontiguousarray(image[w.place.rows, w.place.columns]) for w in windows]
    for part in parts:
        (prepared,) = task.preprocess(Frame(part, "p"), None, setup)
        made.add(prepared, {"albedo": torch.from_numpy(prepared.input).permute(2, 0, 1)[None] / 255}, meta)
    assert len(windows) > 200
    assert made.most_waiting <= 3 * column
    assert np.abs(made.finish(meta).albedo - image / 255).max() < 0.05


def test_tiles__nan_in_one_tile_is_an_error_for_that_picture_alone() -> None:
    def forward(model, x, setup):
        y = model(x)
        return {"albedo": torch.where(y.amax((1, 2, 3), keepdim=True) > 0.999, torch.nan, y)}

    bad = smooth_picture(40, 50)
    bad[-1, -1] = 255
    network = mirror("tiles", forward=forward)
    assert network(smooth_picture(40, 50)).albedo.shape == (40, 50, 3)
    with pytest.raises(Exception, match="NaN or Inf"):
        network(bad)


def test_tiles__fleet_gives_what_one_gives() -> None:
    from sapiens.inference.engine import run
    from sapiens.inference.predictor import picture_source

    images = [noise(30 + 7 * n, 60 - 5 * n, n) for n in range(4)]
    fleet = Fleet([mirror(batch_size=3) for _ in range(3)])
    items = run((picture_source(image, n) for n, image in enumerate(images)), [fleet])
    for item, wanted in zip(items, mirror()(images), strict=True):
        np.testing.assert_array_equal(item.results["albedo"].albedo, wanted.albedo)
    with pytest.raises(InputError, match="the same network"):
        Fleet([mirror("tiles"), mirror("whole")])


def test_detail__refusals_are_one_line_each() -> None:
    with pytest.raises(UnknownNameError, match="unknown detail 'tile'"):
        mirror("tile")
    with pytest.raises(InputError, match="pose looks at every person closely already"):
        mirror("tiles", task="pose")
    with pytest.raises(InputError, match="not the original's"):
        Predictor(
            get_task("albedo"), Mirror(), Setup(INPUT_HW, "reference", None), name="m", digest="m", detail="tiles"
        )
    with pytest.raises(InputError, match="boxes are for pose"):
        mirror("tiles")(noise(9, 9), [[0, 0, 4, 4]])
    with pytest.raises(InputError, match="whole_image is for pose"):
        mirror("people")(noise(9, 9), whole_image=True)


def test_sample__is_the_resized_map_cut() -> None:
    field = torch.randn(3, 9, 7)
    resized = torch.nn.functional.interpolate(field[None], (40, 23), mode="bilinear", align_corners=False)[0]
    got = sample(field, Place.all_of((40, 23)), slice(5, 31), slice(0, 17))
    torch.testing.assert_close(got, resized[:, 5:31, :17])
    torch.testing.assert_close(at_density(field, Place.all_of((40, 23)), Place.all_of((40, 23)), (40, 23)), resized)


def test_low_part__keeps_what_is_even_and_drops_what_is_fine() -> None:
    even, fine = torch.full((1, 12, 12), 3.0), torch.tensor([1.0, -1.0]).repeat(6)[None, None].expand(1, 12, 12)
    torch.testing.assert_close(low_part(even + fine, (4.0, 4.0)), even)


def test_prepared__tiles_are_cut_at_full_resolution() -> None:
    seen: list[Prepared] = []
    task = get_task("albedo")

    def preprocess(frame, boxes, setup):
        seen.extend(task.preprocess(frame, boxes, setup))
        return seen[-1:]

    image = noise(32, 24)
    mirror("tiles", preprocess=preprocess)(image)
    assert len(seen) == 1 + 9
    np.testing.assert_array_equal(seen[1].input, image[:16, :12])
