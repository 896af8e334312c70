"""MattingResult: checks, straight colours, composites, cutouts, files, pictures."""

import numpy as np
import pytest
from helpers_dense import PICTURES, assert_same, finish, golden, make_meta, random_picture, rgb

from sapiens.errors import InputError
from sapiens.tasks.matting import MattingResult

SIZE_HW = (4, 5)
RNG = np.random.default_rng(1)
ALPHA = RNG.random(SIZE_HW, np.float32)
ALPHA[0, 0], ALPHA[0, 1], ALPHA[1, 1] = 0, 1, 1e-4
COLOUR = RNG.random((*SIZE_HW, 3), np.float32)
PREMULTIPLIED = COLOUR * ALPHA[..., None]


def make(alpha=ALPHA, foreground=PREMULTIPLIED, image=None):
    return MattingResult(meta=make_meta("matting", SIZE_HW), alpha=alpha, foreground=foreground, image=image)


@pytest.mark.parametrize(
    ("alpha", "foreground", "message"),
    [
        pytest.param(ALPHA.T, PREMULTIPLIED, "alpha: expected shape", id="transposed"),
        pytest.param(ALPHA.astype(np.float64), PREMULTIPLIED, "alpha: expected float32", id="double"),
        pytest.param(ALPHA, ALPHA, "foreground: expected shape", id="grey foreground"),
        pytest.param(ALPHA, PREMULTIPLIED.astype(np.float16), "foreground: expected float32", id="half"),
    ],
)
def test_matting_result__wrong_arrays(alpha, foreground, message):
    with pytest.raises(InputError, match=message):
        make(alpha, foreground)


def test_straight__times_alpha_is_the_foreground():
    straight = make().straight()
    seen = ALPHA > 1e-3
    np.testing.assert_allclose(straight[seen], COLOUR[seen], atol=1e-5)
    np.testing.assert_allclose(straight * ALPHA[..., None], PREMULTIPLIED, atol=1.1e-4)
    assert not straight[~seen].any()
    assert straight.dtype == np.float32


def test_straight__brighter_than_alpha_is_clipped():
    assert make(foreground=np.ones_like(COLOUR)).straight().max() == 1


@pytest.mark.parametrize("eps", [0, 1, -1.0])
def test_straight__eps_out_of_range(eps):
    with pytest.raises(InputError, match="eps"):
        make().straight(eps)


def test_composite__over_a_colour_and_a_picture():
    image = random_picture(SIZE_HW)
    over = (PREMULTIPLIED + (1 - ALPHA[..., None]) * (image / 255)) * 255
    np.testing.assert_allclose(make().composite(image), np.floor(over), atol=1)
    flat = np.broadcast_to(np.array([10, 20, 30], np.uint8), (*SIZE_HW, 3))
    np.testing.assert_array_equal(make().composite((10, 20, 30)), make().composite(flat))
    assert make().composite()[0, 0].tolist() == [0, 177, 64]


def test_composite__over_its_own_picture_gives_the_picture():
    image = random_picture(SIZE_HW)
    over = make(image=image).with_picture_colours().composite(image)
    assert np.abs(over.astype(int) - image).max() <= 1


@pytest.mark.parametrize(
    ("background", "message"),
    [
        pytest.param(random_picture((5, 4)), "the result is 4x5", id="another size"),
        pytest.param(np.zeros((4, 5, 3)), "expected a picture of uint8, got float64", id="floats"),
        pytest.param((1, 2), "the result is 4x5", id="two colours"),
    ],
)
def test_composite__wrong_background(background, message):
    with pytest.raises(InputError, match=message):
        make().composite(background)


def test_cutout__straight_rgba():
    cutout = make().cutout()
    assert (cutout.shape, cutout.dtype) == ((*SIZE_HW, 4), np.uint8)
    np.testing.assert_array_equal(cutout[..., 3], np.rint(ALPHA * 255))
    np.testing.assert_array_equal(cutout[..., :3], np.rint(make().straight() * 255))
    nearly = make(alpha=np.full(SIZE_HW, 0.9999, np.float32), foreground=COLOUR)
    assert np.all(nearly.cutout()[..., 3] == 255), "what is opaque but for the sigmoid is opaque in the file"


def test_alpha_only__says_what_to_do():
    result = make(foreground=None)
    for method in (result.straight, result.composite, result.cutout):
        with pytest.raises(InputError, match=r"alpha only.*with_picture_colours"):
            method()
    with pytest.raises(InputError, match="no picture"):
        result.with_picture_colours()
    image = random_picture(SIZE_HW)
    np.testing.assert_allclose(result.with_picture_colours(image).foreground, image / 255 * ALPHA[..., None], atol=1e-6)


@pytest.mark.parametrize("foreground", [PREMULTIPLIED, None], ids=["colours", "alpha only"])
def test_matting_result__round_trip(tmp_path, foreground):
    result = make(foreground=foreground)
    assert_same(MattingResult.load(result.save(tmp_path / "x.npz")), result)


@pytest.mark.parametrize("name", PICTURES)
def test_draw__recorded_picture(name):
    record = golden("matting")
    result = finish("matting", record[f"network_{name}"], rgb(record[f"image_{name}"]), "reference")
    drawn = np.asarray(result.draw(side_by_side=True)).astype(int)
    assert np.abs(drawn - rgb(record[f"vis_bgr_{name}"])).max() <= 1


@pytest.mark.parametrize("foreground", [PREMULTIPLIED, None], ids=["colours", "alpha only"])
def test_draw__without_a_picture(foreground):
    drawn = np.asarray(make(foreground=foreground).draw(side_by_side=True))
    assert drawn.shape == (4, 15, 3)
    assert np.all(drawn[:, :5] == 128)
    np.testing.assert_array_equal(drawn[:, 5:10, 0], (ALPHA * 255).astype(np.uint8))
