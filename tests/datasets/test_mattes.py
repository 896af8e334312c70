import json
import shutil

import numpy as np
import pytest
from datasets.tiny import people, straight, write_deep
from PIL import Image

from sapiens.datasets import open_data
from sapiens.datasets.files import to_unit
from sapiens.errors import InputError

LEVEL = 1 / 255


def test_matting__alpha_and_straight_foreground(made) -> None:
    for sample, truth in zip(open_data(made / "mattes/train", "matting"), people(), strict=False):
        np.testing.assert_allclose(sample.fields["alpha"], truth.fields["alpha"], atol=LEVEL / 2 + 1e-6)
        np.testing.assert_allclose(sample.fields["foreground"], truth.fields["foreground"], atol=LEVEL)
        assert "needs_background" not in sample.extra


def test_matting__without_foreground_there_is_no_such_field(fresh) -> None:
    shutil.rmtree(fresh / "mattes/train/foreground")
    assert set(open_data(fresh / "mattes/train", "matting")[0].fields) == {"alpha"}


def test_matting__released_list_with_four_channels_in_the_mask(made, tmp_path) -> None:
    root = made / "mattes"
    entries = [
        {"image": str(root / f"train/images/{k:04d}.png"), "mask": str(root / f"cutouts/{k:04d}.png")} for k in range(2)
    ]
    (tmp_path / "m.json").write_text(json.dumps(entries))
    sample = open_data(tmp_path / "m.json", "matting")[1]
    np.testing.assert_allclose(sample.fields["foreground"], people()[1].fields["foreground"], atol=1e-4)
    np.testing.assert_array_equal(sample.image, people()[1].image)


def test_matting__premultiplied_foreground(fresh) -> None:
    for k in range(4):
        colour = np.rint(people()[k].fields["foreground"] * 65535).astype(np.uint16)
        write_deep(fresh / f"mattes/train/foreground/{k:04d}.png", colour)
    sample = open_data(f"{fresh / 'mattes/train'},colour=premultiplied", "matting")[0]
    np.testing.assert_allclose(sample.fields["foreground"], people()[0].fields["foreground"], atol=LEVEL)


def test_matting__straight_colour_called_premultiplied_is_refused(fresh) -> None:
    for k in range(4):
        write_deep(fresh / f"mattes/train/foreground/{k:04d}.png", np.full((64, 48, 3), 60000, np.uint16))
    with pytest.raises(InputError, match="not premultiplied"):
        open_data(f"{fresh / 'mattes/train'},colour=premultiplied", "matting")


@pytest.mark.parametrize("spec", ["mattes/cutouts", "rgba:mattes/cutouts", "cutouts.txt"])
def test_cutouts__need_a_background(fresh, monkeypatch, spec) -> None:
    monkeypatch.chdir(fresh)
    (fresh / "cutouts.txt").write_text("".join(f"mattes/cutouts/{k:04d}.png\n" for k in range(4)))
    samples = open_data(spec, "matting")
    assert len(samples) == 4
    for sample, truth in zip(samples, people(), strict=False):
        assert sample.extra["needs_background"] == 1
        np.testing.assert_allclose(sample.fields["foreground"], truth.fields["foreground"], atol=1e-4)
        np.testing.assert_allclose(sample.fields["alpha"], truth.fields["alpha"], atol=1e-4)
        np.testing.assert_allclose(sample.image / 255, truth.fields["foreground"], atol=LEVEL + 1e-4)
        assert (sample.image[truth.fields["alpha"] == 0] == 0).all()


def test_cutouts__8_bit_picture_is_truncated_as_released(tmp_path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[...] = (255, 128, 3, 100)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    sample = open_data(tmp_path, "matting")[0]
    assert sample.image[0, 0].tolist() == [100, 50, 1]  # 100, 50.2, 1.18
    opaque = np.dstack([rgba[..., :3], np.full((8, 8), 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "a.png")
    assert open_data(tmp_path, "matting")[0].image[0, 0].tolist() == [255, 128, 3]


UNIT = [
    ("8 bits", np.array([[0, 51, 255]], np.uint8), [0, 0.2, 1]),
    ("16 bits", np.array([[0, 13107, 65535]], np.uint16), [0, 0.2, 1]),
    ("one bit", np.array([[False, True]]), [0, 1]),
    ("floats", np.array([[0, 0.2, 1.0]]), [0, 0.2, 1]),
    ("floats to 255", np.array([[0, 51, 255.0]]), [0, 0.2, 1]),
    ("filtered floats", np.array([[-0.001, 0.2, 1.001]]), [0, 0.2, 1]),
]


@pytest.mark.parametrize(("values", "expected"), [row[1:] for row in UNIT], ids=[row[0] for row in UNIT])
def test_to_unit__values(values, expected) -> None:
    np.testing.assert_allclose(to_unit(values, "a")[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "values", [np.array([[np.nan]]), np.array([[-0.5]]), np.array([[300.0]]), np.array([[7]])],
    ids=["NaN", "negative", "above 255", "64-bit whole numbers"],
)  # fmt: skip
def test_to_unit__refuses(values) -> None:
    with pytest.raises(InputError, match="a: "):
        to_unit(values, "a")


def test_matting__one_bit_alpha(fresh) -> None:
    path = fresh / "mattes/train/alpha/0000.png"
    Image.fromarray(people()[0].fields["alpha"] > 0.5).save(path)
    alpha = open_data(fresh / "mattes/train", "matting")[0].fields["alpha"]
    assert np.unique(alpha).tolist() == [0, 1]


BAD = [
    ("nobody", np.zeros((64, 48), np.uint8), "nobody in the picture"),
    ("colour", np.dstack([np.zeros((64, 48), np.uint8)] * 2 + [np.ones((64, 48), np.uint8)]), "channels that differ"),
    ("other size", np.ones((32, 24), np.uint8), "expected RGB of 32x24 pixels"),
]


@pytest.mark.parametrize(("alpha", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_matting__bad_alpha_names_the_record(fresh, alpha, message) -> None:
    Image.fromarray(alpha).save(fresh / "mattes/train/alpha/0002.png")
    with pytest.raises(InputError) as raised:
        open_data(fresh / "mattes/train", "matting")
    assert message in str(raised.value)
    assert "record 0002: " in str(raised.value)


def test_cutouts__without_alpha_or_gone(fresh) -> None:
    Image.fromarray(people()[0].image).save(fresh / "mattes/cutouts/0001.png")
    (fresh / "list.txt").write_text("mattes/cutouts/0001.png\nmattes/cutouts/gone.png\n")
    with pytest.raises(InputError) as raised:
        open_data(f"rgba:{fresh / 'list.txt'}", "matting")
    assert "no alpha channel" in str(raised.value)
    assert "gone.png: no such file" in str(raised.value)
    assert "2 problems" in str(raised.value)


def test_straight__helper_is_the_inverse() -> None:
    rgba = straight(people()[0]) / 65535
    np.testing.assert_allclose(rgba[..., :3] * rgba[..., 3:], people()[0].fields["foreground"], atol=1e-4)
