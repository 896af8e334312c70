"""SegResult: checks, names, areas, files, pictures."""

import dataclasses

import numpy as np
import pytest
from helpers_dense import PICTURES, assert_same, finish, golden, make_meta, random_picture, rgb

from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks.seg import SegResult
from sapiens.tasks.seg.classes import palette_rgb

LABELS = np.array([[0, 4, 4], [22, 0, 4]], np.uint8)


def make(labels=LABELS, **fields):
    return SegResult(meta=make_meta("seg", (2, 3)), labels=labels, **fields)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        pytest.param(LABELS.T, None, "expected shape", id="transposed"),
        pytest.param(LABELS.astype(np.int64), None, "expected uint8, got int64", id="int64"),
        pytest.param(LABELS, np.zeros((2, 3, 28), np.float16), "expected shape", id="28 parts"),
        pytest.param(LABELS, np.zeros((2, 3, 29)), "expected float16, got float64", id="double"),
    ],
)
def test_seg_result__wrong_arrays(labels, probabilities, message):
    with pytest.raises(InputError, match=message):
        make(labels, probabilities=probabilities)


def test_seg_result__is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().labels = LABELS


def test_seg_result__names_areas_where():
    result = make()
    assert len(result.names) == 29
    assert result.areas() == {"Background": 2, "Hair": 3, "Torso": 1}
    np.testing.assert_array_equal(result.where(), LABELS > 0)
    np.testing.assert_array_equal(result.where("hair", "Torso"), LABELS > 0)
    np.testing.assert_array_equal(result.where("Torso"), LABELS == 22)
    with pytest.raises(UnknownNameError, match=r"unknown part 'hare'.*did you mean 'hair'"):
        result.where("hare")


@pytest.mark.parametrize("probabilities", [False, True])
def test_seg_result__round_trip(tmp_path, probabilities):
    logits = np.random.default_rng(0).normal(size=(29, 16, 12))
    result = finish("seg", logits, random_picture((20, 15)), probabilities=probabilities)
    assert_same(SegResult.load(result.save(tmp_path / "x.npz")), result)


@pytest.mark.parametrize("name", PICTURES)
def test_draw__recorded_picture(name):
    record = golden("seg")
    result = finish("seg", record[f"logits_{name}"], rgb(record[f"image_{name}"]), "reference")
    drawn = np.asarray(result.draw(side_by_side=True))
    expected = rgb(record[f"vis_bgr_{name}"])
    same = np.tile(result.labels == record[f"labels_{name}"], (1, 2))
    assert drawn.shape == expected.shape
    np.testing.assert_array_equal(drawn[same], expected[same])


def test_draw__without_a_picture_and_opaque():
    drawn = np.asarray(make().draw(opacity=1))
    np.testing.assert_array_equal(drawn, palette_rgb()[LABELS])
    assert np.asarray(make().draw()).shape == (2, 3, 3)


def test_draw__given_picture():
    image = random_picture((2, 3))
    np.testing.assert_array_equal(np.asarray(make().draw(image, opacity=0)), image)
    with pytest.raises(InputError, match="the result is 2x3"):
        make().draw(random_picture((3, 2)))
