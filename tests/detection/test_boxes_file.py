from __future__ import annotations

import json

import numpy as np
import pytest

from sapiens.detection import load_boxes
from sapiens.errors import InputError

COCO = {
    "images": [{"id": 7, "file_name": "a/x.jpg"}, {"id": 8, "file_name": "empty.jpg"}],
    "categories": [{"id": 3, "name": "Person"}, {"id": 1, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 0, 5, 5]},
        {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 500, 500], "iscrowd": 1},
    ],
}


@pytest.fixture
def table(tmp_path):
    def write(content):
        path = tmp_path / "boxes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return load_boxes(path)

    return write


def test_names__scores_are_optional_and_order_is_kept(table):
    boxes = table({"x.jpg": [[1, 2, 3, 4], [5, 6, 7, 8, 0.5]], "empty.jpg": []})
    assert boxes.lookup("x.jpg").tolist() == [[1, 2, 3, 4, 1], [5, 6, 7, 8, 0.5]]
    assert boxes.lookup("x.jpg").dtype == np.float32
    assert boxes.lookup("empty.jpg").shape == (0, 5)
    assert boxes.lookup("unknown.jpg") is None
    assert len(boxes) == 2


def test_coco__persons_only_without_crowds(table):
    boxes = table(COCO)
    assert boxes.lookup("in/a/x.jpg").tolist() == [[10, 20, 40, 60, 1]]
    assert boxes.lookup("empty.jpg").shape == (0, 5)


def test_coco__without_categories_number_1_is_a_person(table):
    boxes = table({key: value for key, value in COCO.items() if key != "categories"})
    assert boxes.lookup("x.jpg").tolist() == [[0, 0, 5, 5, 1]]


def test_results__numbers_fit_padded_names(table):
    results = [
        {"image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.25},
        {"image_id": 139, "category_id": 2, "bbox": [0, 0, 9, 9], "score": 0.9},
        {"image_id": "a/y.png", "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5},
    ]
    boxes = table(results)
    assert boxes.lookup("val/000000000139.jpg").tolist() == [[1, 2, 4, 6, 0.25]]
    assert boxes.lookup("a/y.png").tolist() == [[0, 0, 9, 9, 0.5]]
    assert boxes.lookup("140.jpg") is None


@pytest.mark.parametrize(
    ("names", "picture", "fitting"),
    [
        pytest.param(["x.jpg", "y.jpg"], "clips/a/x.jpg", "x.jpg", id="name alone"),
        pytest.param(["x.jpg", "a/x.jpg"], "clips/a/x.jpg", "a/x.jpg", id="the longer one counts"),
        pytest.param(["a/x.jpg", "b/x.jpg"], "clips/b/x.jpg", "b/x.jpg", id="folders tell"),
        pytest.param(["/data/clips/a/x.jpg"], "a/x.jpg", "/data/clips/a/x.jpg", id="longer in the file"),
        pytest.param(["a\\x.jpg"], "clips/a/x.jpg", "a\\x.jpg", id="backslashes"),
        pytest.param(["a/x.jpg"], "clips/b/x.jpg", None, id="another folder"),
        pytest.param(["xx.jpg"], "x.jpg", None, id="only the end of a name"),
        pytest.param(["frame.0001.png"], "frame.0002.png", None, id="dots"),
    ],
)
def test_lookup(table, names, picture, fitting):
    boxes = table({name: [[index, 0, 100, 100]] for index, name in enumerate(names)})
    found = boxes.lookup(picture)
    assert (None if found is None else names[int(found[0, 0])]) == fitting


def test_lookup__two_names_fit_one_picture(table):
    boxes = table({"a/x.jpg": [], "b/x.jpg": []})
    with pytest.raises(InputError, match=r"a/x.jpg and b/x.jpg both fit the picture x.jpg"):
        boxes.lookup("x.jpg")


def test_lookup__one_name_fits_two_pictures(table):
    boxes = table({"x.jpg": []})
    assert boxes.lookup("a/x.jpg") is boxes.lookup("a/x.jpg")
    with pytest.raises(InputError, match=r"boxes of x.jpg fit both a/x.jpg and b/x.jpg"):
        boxes.lookup("b/x.jpg")


def test_load_boxes__all_problems_in_one_error(table):
    content = (
        '{"x.jpg": [[1, 2, NaN, 4], [1, 2, 3], [1, 2, 3, 4], [5, 0, 5, 9]], "y.jpg": 3, "z.jpg": [["a", 1, 2, 3]]}'
    )
    with pytest.raises(InputError) as caught:
        table(content)
    message = caught.value.message
    assert "boxes.json: 5 boxes are not usable" in message
    assert "\n" not in message
    for part in (
        "x.jpg, box 0 holds NaN or infinity (1, 2, nan, 4)",
        "x.jpg, box 1 is not x1, y1, x2, y2 with or without a score: [1, 2, 3]",
        "x.jpg, box 3 has x2 <= x1 (5, 0, 5, 9)",
        "y.jpg is not x1, y1, x2, y2 with or without a score: 3",
        'z.jpg, box 0 is not x1, y1, x2, y2 with or without a score: ["a", 1, 2, 3]',
    ):
        assert part in message


def test_load_boxes__many_problems_are_counted(table):
    with pytest.raises(InputError, match=r"42 boxes are not usable: .*, box 19 has [^;]*; and 22 more"):
        table({"x.jpg": [[0, 0, 0, 0]] * 42})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "cannot be read as boxes", id="no JSON"),
        pytest.param("3", "expected a JSON object or list, got int", id="number"),
        pytest.param('{"x.jpg": [], "x.jpg": []}', "'x.jpg' stands there twice", id="name twice"),
        pytest.param([{"image_id": 1}], "a record that is not as expected: without 'category_id'", id="results"),
        pytest.param([3], "a record that is not as expected", id="list of numbers"),
        pytest.param({"annotations": []}, "without 'images'", id="no images"),
        pytest.param(
            COCO | {"annotations": [{"image_id": 9, "category_id": 3, "bbox": [0, 0, 1, 1]}]},
            "a box is not usable: annotation 0 has image_id 9, which is not among the images",
            id="unknown image",
        ),
        pytest.param(
            COCO | {"annotations": [{"id": 4, "image_id": 7, "category_id": 3, "bbox": [0, 0, 0, 1]}]},
            r"annotation 4 has x2 <= x1 \(0, 0, 0, 1, 1\)",
            id="zero width",
        ),
        pytest.param(
            COCO | {"annotations": [{"id": 4, "image_id": 7, "category_id": 3, "bbox": None}]},
            "annotation 4 is not x1, y1, x2, y2 with or without a score: null",
            id="no box",
        ),
    ],
)
def test_load_boxes__bad_files(table, content, message):
    with pytest.raises(InputError, match=message):
        table(content)


def test_load_boxes__no_such_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read as boxes"):
        load_boxes(tmp_path / "nothing.json")
