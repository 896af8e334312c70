"""AlbedoResult: checks, masks, files, pictures."""

import numpy as np
import pytest
from helpers_dense import PICTURES, assert_same, finish, golden, make_meta, random_picture, rgb

from sapiens.errors import InputError
from sapiens.tasks.albedo import AlbedoResult

ALBEDO = np.random.default_rng(0).random((2, 3, 3), np.float32)
MASK = np.array([[True, False, True], [False, True, True]])


def make(albedo=ALBEDO, **fields):
    return AlbedoResult(meta=make_meta("albedo", (2, 3)), albedo=albedo, **fields)


@pytest.mark.parametrize(
    ("albedo", "fields", "message"),
    [
        pytest.param(ALBEDO[..., 0], {}, "expected shape", id="grey"),
        pytest.param(ALBEDO.astype(np.float16), {}, "expected float32, got float16", id="half"),
        pytest.param(ALBEDO, {"mask": MASK.T}, "mask: expected shape", id="mask of another size"),
        pytest.param(ALBEDO, {"mask": MASK.astype(np.uint8)}, "expected bool, got uint8", id="mask of bytes"),
    ],
)
def test_albedo_result__wrong_arrays(albedo, fields, message):
    with pytest.raises(InputError, match=message):
        make(albedo, **fields)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
def test_albedo_result__round_trip(tmp_path, mask):
    result = make(mask=mask)
    assert_same(AlbedoResult.load(result.save(tmp_path / "x.npz")), result)


@pytest.mark.parametrize("name", PICTURES)
def test_draw__recorded_picture(name):
    record = golden("albedo")
    result = finish("albedo", record[f"network_{name}"], rgb(record[f"image_{name}"]), "reference")
    drawn = np.asarray(result.with_mask(record[f"mask_{name}"]).draw(side_by_side=True)).astype(int)
    assert np.abs(drawn - rgb(record[f"vis_bgr_{name}"])).max() <= 1


def test_draw__background():
    image = random_picture((2, 3))
    masked = make().with_mask(MASK)
    assert np.all(np.asarray(masked.draw())[~MASK] == 100)
    np.testing.assert_array_equal(np.asarray(masked.draw(image, keep_background=True))[~MASK], image[~MASK])
    np.testing.assert_array_equal(np.asarray(make().draw()), (ALBEDO * 255).astype(np.uint8))


def test_with_mask__wrong_size():
    with pytest.raises(InputError, match=r"mask: expected shape \(2, 3\), got \(4, 3\)"):
        make().with_mask(np.ones((4, 3), bool))
