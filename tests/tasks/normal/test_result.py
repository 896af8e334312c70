"""NormalResult: checks, axes, masks, files, pictures."""

import numpy as np
import pytest
from helpers_dense import PICTURES, assert_same, finish, golden, make_meta, random_picture, rgb

from sapiens.errors import InputError
from sapiens.tasks.normal import NormalResult

FACING = np.broadcast_to(np.array([0, 0, 1], np.float32), (2, 3, 3)).copy()
MASK = np.array([[True, False, True], [False, True, True]])


def make(normals=FACING, **fields):
    return NormalResult(meta=make_meta("normal", (2, 3)), normals=normals, **fields)


@pytest.mark.parametrize(
    ("normals", "fields", "message"),
    [
        pytest.param(FACING[:1], {}, "expected shape", id="too few rows"),
        pytest.param(FACING.astype(np.float64), {}, "expected float32, got float64", id="double"),
        pytest.param(FACING, {"mask": MASK.T}, "mask: expected shape", id="mask of another size"),
        pytest.param(FACING, {"mask": MASK.astype(np.uint8)}, "expected bool, got uint8", id="mask of bytes"),
    ],
)
def test_normal_result__wrong_arrays(normals, fields, message):
    with pytest.raises(InputError, match=message):
        make(normals, **fields)


def test_with_mask__sizes():
    assert make().with_mask(MASK).mask.tolist() == MASK.tolist()
    with pytest.raises(InputError, match=r"mask: expected shape \(2, 3\), got \(3, 2\)"):
        make().with_mask(MASK.T)


def test_axes__there_and_back():
    tilted = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    result = make(tilted)
    opencv = result.to_opencv()
    np.testing.assert_array_equal(opencv.normals, np.stack([tilted[..., 0], -tilted[..., 1], -tilted[..., 2]], -1))
    assert opencv.to_opencv() is opencv
    assert_same(opencv.to_opengl(), result)
    np.testing.assert_array_equal(np.asarray(opencv.draw()), np.asarray(result.draw()))


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
@pytest.mark.parametrize("opencv", [False, True], ids=["opengl", "opencv"])
def test_normal_result__round_trip(tmp_path, mask, opencv):
    result = make(mask=mask, opencv=opencv)
    loaded = NormalResult.load(result.save(tmp_path / "x.npz"))
    assert_same(loaded, result)
    assert loaded.opencv is opencv


@pytest.mark.parametrize("name", PICTURES)
def test_draw__recorded_pictures(name):
    record = golden("normal")
    result = finish("normal", record[f"network_{name}"], rgb(record[f"image_{name}"]), "reference")
    result = result.with_mask(record[f"mask_{name}"])
    for kind, keep in (("vis_bgr", False), ("vis_keep_bgr", True)):
        drawn = np.asarray(result.draw(side_by_side=True, keep_background=keep)).astype(int)
        assert np.abs(drawn - rgb(record[f"{kind}_{name}"])).max() <= 1


def test_draw__facing_surfaces_are_light_blue():
    assert np.asarray(make().draw())[0, 0].tolist() == [127, 127, 255]


def test_draw__mask_without_a_picture():
    drawn = np.asarray(make(mask=MASK).draw())
    assert not drawn[~MASK].any()
    assert drawn[MASK].any(axis=-1).all()
    kept = np.asarray(make(mask=MASK).draw(random_picture((2, 3)), keep_background=True))
    np.testing.assert_array_equal(kept[~MASK], random_picture((2, 3))[~MASK])


def test_with_mask__leaves_the_normals_alone():
    np.testing.assert_array_equal(make().with_mask(MASK).normals, FACING)
