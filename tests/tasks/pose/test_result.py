import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.tasks.pose.draw import stroke_sizes
from sapiens.tasks.pose.keypoints import NAMES
from sapiens.tasks.pose.result import PoseResult, person_scores


@pytest.mark.parametrize("people", [0, 1, 3])
def test_result__npz_round_trip(people: int, make_result, tmp_path) -> None:
    result = make_result(people)
    again = PoseResult.load(result.save(tmp_path / "r.npz"))
    assert again.meta == result.meta
    assert again.arrays().keys() == result.arrays().keys()
    for name, value in result.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], value)
        assert again.arrays()[name].dtype == np.float32


def test_result__names_and_length(make_result) -> None:
    assert make_result(3).names == NAMES
    assert len(make_result(3)) == 3


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"boxes_xyxy": np.zeros((2, 5), np.float32)}, id="boxes"),
        pytest.param({"box_scores": np.zeros(3, np.float32)}, id="box scores"),
        pytest.param({"keypoints": np.zeros((2, 17, 2), np.float32)}, id="other number of points"),
        pytest.param({"scores": np.zeros((1, 308), np.float32)}, id="other number of people"),
        pytest.param({"scores": np.zeros((2, 308), np.float64)}, id="dtype"),
    ],
)
def test_result__checks_its_arrays(field, make_result) -> None:
    with pytest.raises(InputError, match=rf"PoseResult.{next(iter(field))}"):
        make_result(2, **field)


def test_draw__changes_a_copy(make_result) -> None:
    image = np.full((40, 60, 3), 10, np.uint8)
    result = make_result(2, image=image)
    drawn = np.asarray(result.draw())
    assert drawn.shape == image.shape
    assert (drawn != 10).any()
    assert (image == 10).all()


def test_draw__side_by_side(make_result) -> None:
    image = np.full((40, 60, 3), 10, np.uint8)
    result = make_result(2, image=image)
    panels = np.asarray(result.draw(side_by_side=True))
    np.testing.assert_array_equal(panels[:, :60], image)
    np.testing.assert_array_equal(panels[:, 60:], np.asarray(result.draw()))


def test_draw__nobody_leaves_the_picture(make_result) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(make_result(0).draw(image)), image)


def test_draw__threshold_above_every_score_shows_nothing(make_result) -> None:
    assert (np.asarray(make_result(2).draw(threshold=2)) == 128).all()


def test_draw__sizes_follow_the_picture_but_not_in_reference_mode(make_result) -> None:
    big = (900, 3000)
    default, reference = make_result(1, big), make_result(1, big, compat="reference")
    radius, thickness = stroke_sizes(big)
    assert radius > 3
    np.testing.assert_array_equal(default.draw(), default.draw(radius=radius, thickness=thickness))
    np.testing.assert_array_equal(reference.draw(), default.draw(radius=3, thickness=1))


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [
        pytest.param((1, 1), (1, 1), id="tiny"),
        pytest.param((1024, 768), (3, 2), id="usual"),
        pytest.param((3000, 4000), (12, 8), id="large"),
    ],
)
def test_stroke_sizes__grow_with_the_picture(size_hw, expected) -> None:
    assert stroke_sizes(size_hw) == expected


def test_person_scores__box_times_mean_of_counted() -> None:
    scores = np.array([[0.1, 0.2, 0.4, 0.8], [0.1, 0.0, -1.0, 0.2], [1.0, 1.0, 1.0, 1.2]], np.float32)
    found = person_scores(np.array([0.5, 1, 1], np.float32), scores)
    # 0.2 itself is not above 0.2: float32(0.2) against 0.2 must not decide.
    np.testing.assert_allclose(found, [0.5 * 0.6, 0, 1.05], rtol=1e-6)
    assert person_scores(np.zeros(0), np.zeros((0, 17))).shape == (0,)
