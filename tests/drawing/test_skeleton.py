import numpy as np
import pytest

from sapiens.drawing.skeleton import Link, draw_skeletons
from sapiens.errors import InputError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def draw(points, scores=(1.0, 1.0), *, radius=1, thickness=1, threshold=0.3, image=None):
    canvas = np.zeros((20, 30, 3), np.uint8) if image is None else image
    return draw_skeletons(
        canvas,
        np.array([points], np.float64),
        np.array([scores], np.float64),
        links=[Link(0, 1, BLUE)],
        colours_rgb=[RED, GREEN],
        radius=radius,
        thickness=thickness,
        threshold=threshold,
    )


def has(picture, colour):
    # Anti-aliased lines are a little darker than their colour.
    return bool((np.abs(picture.astype(int) - colour) < 40).all(-1).any())


def test_draw__points_lie_over_links_in_rgb() -> None:
    picture = draw([(5, 10), (20, 10)])
    assert tuple(picture[10, 5]) == RED
    assert tuple(picture[10, 20]) == GREEN
    assert has(picture[10:11, 12:13], BLUE)


def test_draw__leaves_its_input_alone() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    assert draw([(5, 10), (20, 10)], image=image).any()
    assert not image.any()


@pytest.mark.parametrize(
    ("second", "score", "shown"),
    [
        pytest.param((20, 10), 0.3, True, id="score at the threshold"),
        pytest.param((20, 10), 0.29, False, id="score below"),
        pytest.param((29.4, 10), 1.0, True, id="rounded into the picture"),
        pytest.param((29.5, 10), 1.0, False, id="rounded out of it"),
        pytest.param((-0.5, 10), 1.0, True, id="half to even"),
        pytest.param((-0.6, 10), 1.0, False, id="left of it"),
        pytest.param((20, -1), 1.0, False, id="above"),
        pytest.param((float("nan"), 10), 1.0, False, id="not a number"),
        pytest.param((1e30, 10), 1.0, False, id="far away"),
        pytest.param((20, 10), float("nan"), False, id="score not a number"),
    ],
)
def test_draw__a_hidden_point_hides_its_links(second, score: float, shown: bool) -> None:
    picture = draw([(10, 10), second], (1.0, score))
    assert has(picture, RED)
    assert has(picture, GREEN) is shown
    assert has(picture, BLUE) is shown


def test_draw__thickness_is_at_least_one() -> None:
    np.testing.assert_array_equal(draw([(5, 10), (20, 10)], thickness=0), draw([(5, 10), (20, 10)], thickness=1))


def test_draw__later_people_lie_on_top() -> None:
    points = np.array([[(5, 5), (20, 5)], [(20, 5), (5, 5)]], float)
    picture = draw_skeletons(
        np.zeros((20, 30, 3), np.uint8), points, np.ones((2, 2)), links=[], colours_rgb=[RED, GREEN], radius=2,
        thickness=1, threshold=0.3,
    )  # fmt: skip
    assert tuple(picture[5, 20]) == RED


def test_draw__nobody() -> None:
    image = np.full((20, 30, 3), 7, np.uint8)
    picture = draw_skeletons(
        image, np.zeros((0, 2, 2)), np.zeros((0, 2)), links=[], colours_rgb=[RED, GREEN], radius=1, thickness=1,
        threshold=0.3,
    )  # fmt: skip
    np.testing.assert_array_equal(picture, image)


def test_draw__rejects_what_does_not_belong_together() -> None:
    with pytest.raises(InputError, match="cannot draw keypoints"):
        draw([(5, 10), (20, 10), (1, 1)], (1, 1, 1))
    with pytest.raises(InputError, match="radius"):
        draw([(5, 10), (20, 10)], radius=-1)
