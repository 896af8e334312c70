"""Backgrounds: folders, compositing in linear light, colours moved towards the background."""

import cv2
import numpy as np
import pytest
from helpers_samples import scene

from sapiens.errors import InputError, SapiensError
from sapiens.imaging import augment_background as backgrounds


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name, colour in {"a.png": 40, "below/b.jpg": 200}.items():
        cv2.imwrite(str(tmp_path / name), np.full((50, 80, 3), colour, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    backgrounds.list_backgrounds.cache_clear()
    return tmp_path


def test_list_backgrounds__pictures_of_all_folders_in_order(folder):
    assert [f.name for f in backgrounds.list_backgrounds(str(folder))] == ["a.png", "b.jpg"]


@pytest.mark.parametrize(("name", "says"), [("missing", "no such folder"), ("below2", "holds no pictures")])
def test_list_backgrounds__nothing_to_use_stops_the_run(folder, name, says):
    (folder / "below2").mkdir()
    with pytest.raises(SapiensError, match=says) as caught:
        backgrounds.draw_background(np.random.default_rng(0), (8, 8), str(folder / name))
    assert not isinstance(caught.value, InputError)


def test_draw_background__every_picture_comes_up(folder):
    drawn = {
        int(backgrounds.draw_background(np.random.default_rng(seed), (30, 20), str(folder))[0, 0, 0])
        for seed in range(20)
    }
    assert drawn == {40, 200}


def test_draw_background__damaged_picture_is_named(folder):
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (folder / "below" / "b.jpg").unlink()
    backgrounds.list_backgrounds.cache_clear()
    with pytest.raises(InputError, match=r"a\.png"):
        backgrounds.draw_background(np.random.default_rng(0), (8, 8), str(folder))


@pytest.mark.parametrize("size_hw", [(100, 60), (50, 80), (20, 200), (1, 1)], ids=str)
def test_cover__size(size_hw):
    assert backgrounds.cover(scene().image, size_hw).shape == (*size_hw, 3)


def test_cover__cuts_about_the_centre():
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 255
    assert (backgrounds.cover(wide, (10, 10)) == 255).all()


def test_make_background__varied_and_repeatable():
    made = [backgrounds.make_background(np.random.default_rng(seed), (60, 40)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).mean() > 0.9
    assert made[0].std() > 10
    assert made[0].shape == (60, 40, 3)


def test_composite__whole_and_nothing():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    other = np.full_like(levels, 99)
    full = backgrounds.composite(levels.astype(np.float32) / 255, np.ones((1, 256), np.float32), other)
    none = backgrounds.composite(np.zeros((1, 256, 3), np.float32), np.zeros((1, 256), np.float32), levels)
    np.testing.assert_array_equal(full, levels)
    np.testing.assert_array_equal(none, levels)


def test_composite__half_before_white_adds_light():
    black = np.zeros((1, 1, 3), np.float32)
    got = backgrounds.composite(black, np.full((1, 1), 0.5, np.float32), np.full((1, 1, 3), 255, np.uint8))
    # Half the light of white shows as 188 of 255, not 128.
    assert got.tolist() == [[[187, 187, 187]]]


@pytest.mark.parametrize(("display", "light"), [(0.0, 0.0), (0.04, 0.04 / 12.92), (0.5, 0.21404), (1.0, 1.0)])
def test_srgb__known_values(display, light):
    assert float(backgrounds.to_linear(np.array(display))) == pytest.approx(light, abs=1e-5)
    assert float(backgrounds.to_display(np.array(light))) == pytest.approx(display, abs=1e-5)


def test_transfer_colours__moves_the_mean_and_leaves_the_background():
    rng = np.random.default_rng(0)
    image = rng.integers(20, 60, (60, 60, 3)).astype(np.uint8)
    foreground = np.zeros((60, 60), bool)
    foreground[10:40, 10:40] = True
    image[foreground] = rng.integers(150, 200, (900, 3))
    moved = backgrounds.transfer_colours(image, foreground)
    np.testing.assert_array_equal(moved[~foreground], image[~foreground])
    assert np.abs(moved[foreground].mean(0) - image[~foreground].mean(0)).max() < 4
    assert np.abs(moved[foreground].std(0) - image[~foreground].std(0)).max() < 4


@pytest.mark.parametrize("everywhere", [True, False])
def test_transfer_colours__one_side_empty(everywhere):
    image = scene().image
    np.testing.assert_array_equal(backgrounds.transfer_colours(image, np.full(image.shape[:2], everywhere)), image)


def test_transfer_colours__flat_colours():
    image = np.full((10, 10, 3), 30, np.uint8)
    foreground = np.zeros((10, 10), bool)
    foreground[:5], image[:5] = True, 200
    assert np.abs(backgrounds.transfer_colours(image, foreground).astype(int) - 30).max() <= 2


def test_swap_background__keeps_the_shape():
    sample = scene()
    foreground = sample.fields["labels"] > 0
    other = backgrounds.make_background(np.random.default_rng(0), sample.size_hw)
    swapped = backgrounds.swap_background(sample, other, foreground)
    np.testing.assert_array_equal(swapped.image[~foreground], other[~foreground])
    np.testing.assert_array_equal(swapped.fields["labels"], sample.fields["labels"])
