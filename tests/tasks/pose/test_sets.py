import numpy as np
import pytest

from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks.pose.keypoints import NAMES, SIGMAS, WHOLEBODY133_NAMES, WHOLEBODY133_SIGMAS, keypoint_index
from sapiens.tasks.pose.sets import BODY25, FACE68, FACE70, HANDS, LAYOUTS, KeypointSet, get_layout

SIZES = {"sapiens308": 308, "coco17": 17, "wholebody133": 133, "body25": 25, "body25+hands+face": 137}


def place(result, layout, name, person=0):
    points = result.to(layout)
    return points.keypoints[person, points.names.index(name)]


def own(result, *names, person=0):
    return result.keypoints[person, [keypoint_index(name) for name in names]].mean(0)


def test_layouts__sizes_and_unique_names() -> None:
    assert {name: len(layout.names) for name, layout in LAYOUTS.items()} == SIZES
    assert all(len(set(layout.names)) == len(layout.names) for layout in LAYOUTS.values())


@pytest.mark.parametrize("table", [BODY25, FACE68, FACE70, HANDS], ids=["body25", "face68", "face70", "hands"])
def test_tables__every_source_exists(table) -> None:
    for source in table.values():
        assert set([source] if isinstance(source, str) else source) <= set(NAMES)


def test_tables__sides_agree() -> None:
    for name, source in {**BODY25, **HANDS}.items():
        if isinstance(source, str) and source != "nose":
            side = "left" if name.startswith(("L", "left")) else "right"
            assert source.startswith(side), name


def test_tables__mirror_to_themselves() -> None:
    """The 68-point markup mirrored: 36 (right, outer) is 45 (left, outer), and so on."""
    partners = [(17, 26), (36, 45), (39, 42), (48, 54), (60, 64), (68, 69)]
    for one, other in partners:
        sources = FACE70[f"face-{one}"], FACE70[f"face-{other}"]
        right, left = ([s] if isinstance(s, str) else list(s) for s in sources)
        assert [name.replace("r_", "l_", 1) for name in right] == left


@pytest.mark.parametrize("layout", SIZES)
def test_to__shapes(layout: str, make_result) -> None:
    points = make_result(people=3).to(layout)
    assert points.layout == layout
    assert points.keypoints.shape == (3, SIZES[layout], 2)
    assert points.scores.shape == (3, SIZES[layout])
    assert points.keypoints.dtype == points.scores.dtype == np.float32
    missing = np.isnan(points.keypoints).any(-1)
    assert (points.scores[missing] == 0).all()
    assert make_result(people=0).to(layout).keypoints.shape == (0, SIZES[layout], 2)


def test_to__own_layout_is_identity(make_result) -> None:
    result = make_result()
    points = result.to("sapiens308")
    np.testing.assert_array_equal(points.keypoints, result.keypoints)
    np.testing.assert_array_equal(points.scores, result.scores)


def test_to_coco17__by_name(make_result) -> None:
    result = make_result()
    points = result.to("coco17")
    assert points.names[9] == "left_wrist"
    for name in points.names:
        np.testing.assert_array_equal(place(result, "coco17", name), own(result, name))


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        pytest.param("left_heel", ["left_heel"], id="foot"),
        pytest.param("left_hand_root", ["left_wrist"], id="hand root"),
        pytest.param("right_thumb1", ["right_thumb_third_joint"], id="base of the thumb"),
        pytest.param("right_pinky_finger4", ["right_pinky_finger4"], id="finger tip"),
        pytest.param("face-30", ["tip_of_nose"], id="nose"),
        pytest.param("face-36", ["r_outer_end_of_upper_lash_line", "r_outer_end_of_lower_lash_line"], id="eye"),
        pytest.param("face-54", ["l_outer_corner_of_mouth"], id="mouth"),
    ],
)
def test_to_wholebody133__by_name(name: str, sources: list[str], make_result) -> None:
    result = make_result()
    np.testing.assert_allclose(place(result, "wholebody133", name), own(result, *sources), rtol=1e-6)


def test_to_wholebody133__what_is_missing(make_result) -> None:
    points = make_result().to("wholebody133")
    missing = {name for name, row in zip(points.names, points.keypoints[0], strict=True) if np.isnan(row).any()}
    assert missing == {f"face-{number}" for number in range(68)} - set(FACE68)
    assert {f"face-{number}" for number in range(17)} <= missing  # the jaw line


def test_wholebody133__sigmas_of_the_same_points_are_the_same() -> None:
    layout = get_layout("wholebody133")
    for name, sigma in zip(WHOLEBODY133_NAMES, WHOLEBODY133_SIGMAS, strict=True):
        source = layout.sources.get(name)
        if isinstance(source, str) and not name.startswith("face-") and not name.endswith("hand_root"):
            assert SIGMAS[keypoint_index(source)] == sigma, name


def test_to_body25__order_and_means(make_result) -> None:
    result = make_result()
    points = result.to("body25")
    assert " ".join(points.names) == (
        "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle "
        "REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
    )
    for name, sides in {"Neck": "shoulder", "MidHip": "hip"}.items():
        pair = [keypoint_index(f"{side}_{sides}") for side in ("left", "right")]
        np.testing.assert_allclose(place(result, "body25", name), result.keypoints[0, pair].mean(0), rtol=1e-6)
        np.testing.assert_array_equal(points.scores[:, points.names.index(name)], result.scores[:, pair].min(1))
    np.testing.assert_array_equal(place(result, "body25", "LBigToe"), own(result, "left_big_toe"))


def test_to_openpose__body_then_hands_then_face(make_result) -> None:
    result = make_result()
    names = result.to("body25+hands+face").names
    assert names[:25] == tuple(BODY25)
    assert (names[25], names[46], names[67], names[136]) == (
        "left_hand_root",
        "right_hand_root",
        "face-0",
        "face-69",
    )
    np.testing.assert_array_equal(place(result, "body25+hands+face", "face-68"), own(result, "r_center_of_pupil"))


def test_to__unknown_layout_suggests_the_nearest(make_result) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'coco17'"):
        make_result().to("coco")


def test_keypoint_set__checks_its_shapes() -> None:
    with pytest.raises(InputError, match="KeypointSet"):
        KeypointSet("coco17", ("nose",), np.zeros((1, 2, 2), np.float32), np.zeros((1, 2), np.float32))
