import json

import numpy as np
import pytest
from datasets.tiny import coco_annotation, coco_file, people
from PIL import Image

from sapiens.datasets import open_data
from sapiens.datasets.opening import open_part
from sapiens.errors import InputError
from sapiens.tasks.names import get_names

OWN = list(get_names("pose")["keypoints"])
SETS = {"keypoints_train.json": ("coco17",), "keypoints_wholebody_train.json": ("wholebody133",)}


@pytest.mark.parametrize("name", SETS)
def test_coco__known_points_at_their_names_and_nothing_else(made, name) -> None:
    samples = open_data(made / "people" / name, "pose")
    assert len(samples) == 4
    known = [OWN.index(point) for layout in SETS[name] for point in get_names("pose")[layout] if point]
    rest = np.setdiff1d(np.arange(308), known)
    for sample, truth in zip(samples, people(), strict=False):
        np.testing.assert_allclose(sample.fields["keypoints"][known], truth.fields["keypoints"][known], atol=1e-3)
        assert (sample.fields["keypoints"][rest] == 0).all()
        np.testing.assert_array_equal(sample.image, truth.image)


def test_coco__released_file_gives_all_308_points(made) -> None:
    sample = open_data(made / "people/keypoints_308_train.json", "pose")[0]
    np.testing.assert_allclose(sample.fields["keypoints"], people()[0].fields["keypoints"], atol=1e-3)
    assert sample.extra["annotation_id"] == 1
    assert sample.extra["image_id"] == 0
    np.testing.assert_allclose(sample.extra["box_xyxy"], people()[0].extra["box_xyxy"], atol=1e-3)


def test_coco__released_parts_without_the_full_field_give_the_same(made, fresh) -> None:
    """Except for the seven extra points and what is in no part."""
    path = fresh / "people/keypoints_308_train.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        del annotation["goliath_wholebody_kpts"]
    path.write_text(json.dumps(content))
    points = open_data(path, "pose")[0].fields["keypoints"]
    expected = people()[0].fields["keypoints"].copy()
    expected[63:70] = 0
    np.testing.assert_allclose(points, expected, atol=1e-3)


def test_layouts__have_the_published_sizes() -> None:
    names = get_names("pose")
    assert {k: len(v) for k, v in names.items()} == {
        "keypoints": 308, "coco17": 17, "wholebody133": 133, "foot6": 6, "face68": 68, "left_hand21": 21,
        "right_hand21": 21, "face238": 238, "left_hand20": 20, "right_hand20": 20,
    }  # fmt: skip
    assert names["foot6"] == tuple(OWN[15:21])
    assert names["left_hand20"] == tuple(OWN[42:62])
    assert names["left_hand21"][0] == "left_wrist"
    assert names["left_hand21"][4] == "left_thumb4"
    assert sum(name is not None for name in names["face68"]) == 13  # eye corners are means of two


@pytest.fixture
def alone(tmp_path):
    """A file with one annotation, changed by the test."""

    def write(images=None, name="one.json", **changes):
        content = coco_file(people()[:1])
        annotation = coco_annotation(people()[0], 0) | changes
        content["annotations"] = [{k: v for k, v in annotation.items() if v is not ...}]
        if images:
            content["images"][0] |= images
        Image.fromarray(people()[0].image).save(tmp_path / "0000.png")
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write


def flat(*points, count=17):
    return np.concatenate([np.array(points, float).reshape(-1, 3), np.zeros((count - len(points), 3))]).ravel().tolist()


def test_coco__points_on_or_beyond_the_edge_are_unknown(alone) -> None:
    path = alone(keypoints=flat((0, 5, 2), (10, 20, 1), (48, 5, 2), (5, 64, 2), (-3, 5, 2)), num_keypoints=5)
    points = open_data(path, "pose")[0].fields["keypoints"]
    assert points[1].tolist() == [10, 20, 1]
    assert (np.delete(points, 1, 0) == 0).all()


def test_coco__box_is_clipped_to_the_picture(alone) -> None:
    sample = open_data(alone(bbox=[-10, 4, 100, 20]), "pose")[0]
    assert sample.extra["box_xyxy"].tolist() == [0, 4, 48, 24]


def test_coco__no_box_is_the_one_that_the_points_span(alone) -> None:
    path = alone(bbox=..., area=..., keypoints=flat((10, 20, 2), (30, 50, 1)), num_keypoints=2)
    sample = open_data(path, "pose")[0]
    assert sample.extra["box_xyxy"].tolist() == [10, 20, 30, 50]
    assert sample.extra["area"] == 600


def test_coco__own_points_by_the_names_of_the_category(alone) -> None:
    path = alone(keypoints=[5, 6, 2, 7, 8, 2, 30, 40, 1])
    content = json.loads(path.read_text())
    content["categories"][0]["keypoints"] = ["right_knee", "antenna", "nose"]
    path.write_text(json.dumps(content))
    points = open_data(path, "pose")[0].fields["keypoints"]
    assert points[OWN.index("right_knee")].tolist() == [5, 6, 2]
    assert points[0].tolist() == [30, 40, 1]
    assert (points[:, 2] > 0).sum() == 2


def test_coco__part_that_was_not_annotated_is_unknown(alone) -> None:
    path = alone(foot_kpts=flat((5, 5, 2), count=6), foot_valid=False)
    assert (open_data(path, "pose")[0].fields["keypoints"][15:21] == 0).all()


def test_coco__crowds_and_people_without_points_are_left_out_and_counted(made, tmp_path) -> None:
    content = json.loads((made / "people/keypoints_train.json").read_text())
    first, second, third, _ = content["annotations"]
    first["iscrowd"] = 1
    second["num_keypoints"] = 0
    third["bbox"] = [3, 3, 0, 10]
    (tmp_path / "some.json").write_text(json.dumps(content))
    samples = open_part(f"coco:{tmp_path / 'some.json'},images={made / 'people/train'}", "pose")
    assert len(samples) == 1
    assert samples.problems == ()
    assert sorted(samples.notes) == [
        "1 crowds left out",
        "1 people with an empty box left out",
        "1 people without a labelled keypoint left out",
    ]


PROBLEMS = [
    ("unknown picture", {"image_id": 77}, "image_id 77"),
    ("NaN", {"keypoints": [float("nan")] * 51}, "NaN or infinite"),
    ("16 points", {"keypoints": [1.0] * 48}, "16 points; expected 17 or 133 or 308"),
    ("texts", {"keypoints": ["a"] * 51}, "no numbers"),
    ("negative box", {"bbox": [5, 5, -4, 10]}, "no area"),
    ("box of three", {"bbox": [5, 5, 4]}, "four finite numbers"),
    ("all points outside", {"keypoints": flat((500, 5, 2))}, "no labelled keypoint within the picture"),
    ("box outside", {"bbox": [500, 5, 10, 10]}, "no area within the picture"),
    ("no points", {"keypoints": ...}, "no keypoints; expected one of the fields"),
]


@pytest.mark.parametrize(("changes", "message"), [row[1:] for row in PROBLEMS], ids=[row[0] for row in PROBLEMS])
def test_coco__problem_names_file_and_annotation(alone, changes, message) -> None:
    path = alone(**changes)
    with pytest.raises(InputError) as raised:
        open_data(path, "pose")
    assert message in str(raised.value)
    assert f"{path}, annotation 1: " in str(raised.value)


def test_coco__picture_of_another_size(alone) -> None:
    with pytest.raises(InputError, match="48x64 pixels, the annotation says 50x64"):
        open_data(alone(images={"width": 50}), "pose")


def test_coco__missing_picture(alone) -> None:
    path = alone(images={"file_name": "gone.png"})
    with pytest.raises(InputError, match=r"annotation 1: .*gone\.png: no such file"):
        open_data(path, "pose")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": [], "annotations": []}', ""])
def test_coco__no_such_file(tmp_path, text) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        open_data(f"coco:{tmp_path / 'a.json'}", "pose")


def test_coco__pictures_are_found_as_coco_lays_them_out(tmp_path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017").mkdir()
    Image.fromarray(people()[0].image).save(tmp_path / "val2017/0000.png")
    path = tmp_path / "annotations/person_keypoints_val2017.json"
    path.write_text(json.dumps(coco_file(people()[:1])))
    assert len(open_data(path, "pose")) == 1


ODD = [
    ("ids that are lists", {"image_id": [0], "category_id": {}}, "image_id"),
    ("ragged box", {"bbox": [1, [2], 3, 4]}, "four finite numbers"),
    ("no object", None, "expected an object"),
    ("ragged points", {"keypoints": [[1, 2], [3]]}, "no numbers"),
    ("null points", {"keypoints": None}, "keypoints"),
]


@pytest.mark.parametrize(("changes", "message"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_coco__odd_values_are_problems_not_crashes(made, tmp_path, changes, message) -> None:
    content = json.loads((made / "people/keypoints_train.json").read_text())
    content["annotations"][1] = None if changes is None else content["annotations"][1] | changes
    content["categories"] = None
    (tmp_path / "c.json").write_text(json.dumps(content))
    samples = open_part(f"coco:{tmp_path / 'c.json'},images={made / 'people/train'}", "pose")
    assert len(samples) == 3
    assert message in samples.problems[0].what
