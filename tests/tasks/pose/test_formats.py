import contextlib
import io
import json

import numpy as np
import pytest

from sapiens.tasks import get_task
from sapiens.tasks.pose.formats import coco_image_id, coco_results, openpose, predictions
from sapiens.tasks.pose.keypoints import COCO17_NAMES, keypoint_index
from sapiens.tasks.pose.result import person_scores

TASK = get_task("pose")


def strict(content):
    """Through JSON that knows no NaN."""
    return json.loads(json.dumps(content, allow_nan=False))


def test_coco__one_entry_per_person(make_result) -> None:
    result = make_result(2)
    entries = strict(coco_results([result, make_result(0), make_result(1, image_id="b.png")]))
    assert [entry["image_id"] for entry in entries] == [139, 139, "b.png"]
    assert {entry["category_id"] for entry in entries} == {1}
    first = entries[0]
    points = np.array(first["keypoints"]).reshape(17, 3)
    nose = keypoint_index("nose")
    np.testing.assert_allclose(points[0], [*result.keypoints[0, nose], result.scores[0, nose]], atol=1e-4)
    x1, y1, x2, y2 = result.boxes_xyxy[0]
    np.testing.assert_allclose(first["bbox"], [x1, y1, x2 - x1, y2 - y1], rtol=1e-6)
    body = [keypoint_index(name) for name in COCO17_NAMES]
    assert first["score"] == pytest.approx(person_scores(result.box_scores, result.scores[:, body])[0])


@pytest.mark.parametrize(("layout", "count"), [("coco17", 17), ("wholebody133", 133), ("sapiens308", 308)])
def test_coco__missing_points_are_zero(layout: str, count: int, make_result) -> None:
    result = make_result(1)
    (entry,) = strict(coco_results([result], layout))
    points = np.array(entry["keypoints"]).reshape(count, 3)
    missing = np.isnan(result.to(layout).keypoints[0, :, 0])
    assert (points[missing] == 0).all()
    assert (points[~missing, :2] != 0).all()


def test_coco__given_image_numbers(make_result) -> None:
    result = make_result(1, image_id="a/b.jpg")
    assert coco_results([result], image_ids={"a/b.jpg": 7})[0]["image_id"] == 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("val/000000000139.jpg", 139, id="coco"),
        pytest.param("12", 12, id="no suffix"),
        pytest.param("plate.0001.png", "plate.0001.png", id="frame number"),
        pytest.param("²3.jpg", "²3.jpg", id="not a decimal digit"),
    ],
)
def test_coco_image_id__whole_stem_only(name: str, expected: int | str) -> None:
    assert coco_image_id(name) == expected


def test_coco__pictures_that_share_a_number_keep_their_names(make_result) -> None:
    names = ["a/1.jpg", "b/01.png", "b/2.jpg", "x.jpg"]
    entries = coco_results([make_result(1, image_id=name) for name in names])
    assert [entry["image_id"] for entry in entries] == ["a/1.jpg", "b/01.png", 2, "x.jpg"]


def test_coco__pycocotools_scores_a_perfect_result_with_1(make_result, tmp_path) -> None:
    pycoco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    results = [make_result(2, (500, 600), image_id=f"{number:012}.jpg", seed=number) for number in (3, 8)]
    annotations = []
    for entry in coco_results(results):
        triples = np.array(entry["keypoints"]).reshape(-1, 3)
        triples[:, 2] = 2
        x, y, width, height = entry["bbox"]
        extra = {"id": len(annotations) + 1, "area": 40000.0, "iscrowd": 0, "num_keypoints": 17}
        annotations.append({**entry, **extra, "keypoints": triples.ravel().tolist(), "bbox": [x, y, width, height]})
    truth = {
        "info": {},
        "images": [{"id": 3}, {"id": 8}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17_NAMES)}],
        "annotations": annotations,
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    TASK.run_exports["coco"].write(results, tmp_path / "found.json")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = pycoco.COCO(str(tmp_path / "truth.json"))
        judge = evaluation.COCOeval(coco, coco.loadRes(str(tmp_path / "found.json")), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1)


def test_openpose__sections(make_result) -> None:
    result = make_result(2)
    content = strict(openpose(result))
    assert content["version"] == 1.3
    assert len(content["people"]) == 2
    person = content["people"][1]
    assert person["person_id"] == [-1]
    lengths = {name: len(values) // 3 for name, values in person.items() if name.endswith("_2d")}
    assert lengths == {
        "pose_keypoints_2d": 25,
        "face_keypoints_2d": 70,
        "hand_left_keypoints_2d": 21,
        "hand_right_keypoints_2d": 21,
    }
    assert all(person[name.replace("_2d", "_3d")] == [] for name in lengths)
    for section, index, name in [
        ("pose", 4, "right_wrist"),
        ("hand_left", 0, "left_wrist"),
        ("hand_right", 8, "right_forefinger4"),
        ("face", 30, "tip_of_nose"),
    ]:
        at = keypoint_index(name)
        triple = person[f"{section}_keypoints_2d"][3 * index : 3 * index + 3]
        np.testing.assert_allclose(triple, [*result.keypoints[1, at], result.scores[1, at]], atol=1e-4)
    assert person["face_keypoints_2d"][:51] == [0] * 51  # the jaw line


def test_openpose__nobody(make_result) -> None:
    assert openpose(make_result(0)) == {"version": 1.3, "people": []}


def test_predictions__structure(make_result) -> None:
    result = make_result(2)
    content = strict(predictions([result, make_result(0, image_id="b/y.jpg")], "clip"))
    assert {name: content[name] for name in ("video", "image_size", "num_keypoints", "kpt_thr_used")} == {
        "video": "clip",
        "image_size": [40, 60],
        "num_keypoints": 308,
        "kpt_thr_used": 0.3,
    }
    first, second = content["frames"]
    assert first["image_name"] == "000000000139.jpg"
    assert second == {"image_name": "y.jpg", "instances": []}
    person = first["instances"][1]
    np.testing.assert_array_equal(np.array(person["bbox"], np.float32), result.boxes_xyxy[1])
    np.testing.assert_array_equal(np.array(person["keypoints"], np.float32), result.keypoints[1])
    np.testing.assert_array_equal(np.array(person["keypoint_scores"], np.float32), result.scores[1])


def test_predictions__equal_base_names_keep_their_folders(make_result) -> None:
    results = [make_result(0, image_id=name) for name in ("a/x.jpg", "b/x.jpg")]
    assert [frame["image_name"] for frame in predictions(results, "clip")["frames"]] == ["a/x.jpg", "b/x.jpg"]
    results = [make_result(0, image_id=name, compat="reference") for name in ("a/x.jpg", "b/x.jpg")]
    assert [frame["image_name"] for frame in predictions(results, "clip")["frames"]] == ["x.jpg", "x.jpg"]


def test_predictions__nan_is_null_unless_the_original_is_asked_for(make_result) -> None:
    keypoints = make_result(1).keypoints.copy()
    keypoints[0, 5] = np.nan
    content = strict(predictions([make_result(1, keypoints=keypoints)], "clip"))
    assert content["frames"][0]["instances"][0]["keypoints"][5] == [None, None]
    content = predictions([make_result(1, keypoints=keypoints, compat="reference")], "clip")
    assert np.isnan(content["frames"][0]["instances"][0]["keypoints"][5]).all()


def test_predictions__empty_run() -> None:
    content = strict(predictions([], "clip"))
    assert content["frames"] == []
    assert content["image_size"] is None


def test_exports__write_what_the_functions_return(make_result, tmp_path) -> None:
    results = [make_result(2), make_result(1, image_id="b.jpg")]
    for kind, expected in {
        "coco": coco_results(results),
        "coco133": coco_results(results, "wholebody133"),
        "coco308": coco_results(results, "sapiens308"),
        "predictions": predictions(results, "clip"),
    }.items():
        path = tmp_path / TASK.run_exports[kind].filename.format(label="clip")
        TASK.run_exports[kind].write(results, path)
        assert json.loads(path.read_text()) == strict(expected)
    path = tmp_path / f"x{TASK.exports['openpose'].suffix}"
    TASK.exports["openpose"].write(results[0], path)
    assert json.loads(path.read_text()) == strict(openpose(results[0]))
