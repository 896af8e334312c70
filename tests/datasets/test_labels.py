import json

import cv2
import numpy as np
import pytest
from datasets.tiny import people
from PIL import Image

from sapiens.datasets import open_data
from sapiens.datasets.files import read_numbers
from sapiens.datasets.labels import class_table, to_classes
from sapiens.errors import InputError
from sapiens.tasks.names import get_names

LABELS = np.array([[0, 1, 28], [255, 4, 13]], np.uint8)


def test_labels__as_they_are(made) -> None:
    samples = open_data(made / "parts/train", "seg")
    assert [sample.id for sample in samples] == ["0000", "0001", "0002", "0003"]
    np.testing.assert_array_equal(samples[2].fields["labels"], people()[2].fields["labels"])
    np.testing.assert_array_equal(samples[2].image, people()[2].image)


def test_labels__through_a_class_map_beside_the_data(made) -> None:
    samples = open_data(f"labels:{made / 'parts/train'},labels=own,map={made / 'parts/classes.json'}", "seg")
    np.testing.assert_array_equal(samples[0].fields["labels"], people()[0].fields["labels"])


def palette_png(path) -> None:
    picture = Image.fromarray(LABELS, "P") if False else Image.fromarray(LABELS).convert("L")
    picture = picture.convert("P")
    picture.putdata(LABELS.ravel().tolist())
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    picture.save(path)


WRITERS = {
    "grey.png": lambda path: Image.fromarray(LABELS).save(path),
    "palette.png": palette_png,
    "deep.png": lambda path: cv2.imwrite(str(path), LABELS.astype(np.uint16)),
    "rgb.png": lambda path: Image.fromarray(np.repeat(LABELS[..., None], 3, 2)).save(path),
    "tiff.tif": lambda path: Image.fromarray(LABELS).save(path),
    "array.npy": lambda path: np.save(path, LABELS.astype(np.int64)),
    "array.npz": lambda path: np.savez(path, labels=LABELS, other=LABELS),
}


@pytest.mark.parametrize("name", WRITERS)
def test_labels__every_kind_of_file_gives_the_same(tmp_path, name) -> None:
    WRITERS[name](tmp_path / name)
    values = read_numbers(tmp_path / name, ("labels",))
    np.testing.assert_array_equal(to_classes(values, None, name), LABELS)


def test_class_table__what_the_map_does_not_name_is_unknown(tmp_path) -> None:
    (tmp_path / "m.json").write_text(
        json.dumps({"0": 0, "7": "hair", "300": "Torso", "9": None, "10": "ignore", "11": "2"})
    )
    table = class_table("m.json", tmp_path)
    assert table[[0, 7, 300, 9, 10, 11, 1, 65535]].tolist() == [0, 4, 22, 255, 255, 2, 255, 255]


def test_class_table__a_list_is_in_order(tmp_path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(["Background", "Hair", None]))
    assert class_table(str(tmp_path / "m.json"), tmp_path)[:4].tolist() == [0, 4, 255, 255]


@pytest.mark.parametrize(
    ("name", "row"),
    [("34", [0, 1, 0, 2, 2, 3, 4, 255, 5]), ("52", [0, 1, 3, 3, 3]), ("33", [0, 3]), ("dome34", [0, 1, 0, 2])],
)
def test_class_table__released_sets(tmp_path, name, row) -> None:
    assert class_table(name, tmp_path)[: len(row)].tolist() == row


def test_class_table__released_sets_are_whole(tmp_path) -> None:
    assert class_table("34", tmp_path)[33] == 28
    assert class_table("52", tmp_path)[46:53].tolist() == [6, 6, 6, 6, 6, 0, 255]
    assert class_table("33", tmp_path)[[11, 15, 30, 31, 32, 33]].tolist() == [24, 28, 0, 255, 0, 255]


def test_class_table__all_that_is_wrong_at_once(tmp_path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"0": 0, "x": 1, "5": "harr", "6": 29, "7": -1, "8": 1.5}))
    with pytest.raises(InputError) as raised:
        class_table("m.json", tmp_path)
    for part in ("x -> 1", "5 -> harr", "6 -> 29", "7 -> -1", "8 -> 1.5"):
        assert part in str(raised.value)


def test_class_table__no_such_map(tmp_path) -> None:
    with pytest.raises(InputError, match="dome34"):
        class_table("dome35", tmp_path)


BAD = [
    ("out of range", np.full((64, 48), 29, np.uint8), "class 29 at row 0, column 0"),
    ("colour", np.dstack([np.zeros((64, 48), np.uint8)] * 2 + [np.ones((64, 48), np.uint8)]), "a colour picture"),
    ("other size", np.zeros((64, 47), np.uint8), "64x47 pixels, the picture 64x48"),
]


@pytest.mark.parametrize(("labels", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_labels__bad_picture_names_folder_and_record(fresh, labels, message) -> None:
    Image.fromarray(labels).save(fresh / "parts/train/labels/0002.png")
    with pytest.raises(InputError) as raised:
        open_data(fresh / "parts/train", "seg")
    assert message in str(raised.value)
    assert f"{fresh / 'parts/train'}, record 0002: " in str(raised.value)
    good = open_data(fresh / "parts/train", "seg", check=False)
    assert good[1].id == "0001"
    with pytest.raises(InputError, match="record 0002"):
        good[2]


@pytest.mark.parametrize(
    "values", [np.array([[-1]]), np.array([[70000]]), np.array([[1.5]])], ids=["negative", "huge", "fraction"]
)
def test_to_classes__numbers_that_are_no_classes(values) -> None:
    with pytest.raises(InputError, match=r"x\.npy"):
        to_classes(values, None, "x.npy")


def test_names__are_those_of_the_task() -> None:
    assert get_names("seg")["labels"][0] == "Background"
    assert len(get_names("seg")["labels"]) == 29
