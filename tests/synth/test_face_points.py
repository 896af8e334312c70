import pytest

from sapiens.synth.face_points import face_place
from sapiens.synth.keypoint_names import NAMES
from sapiens.tasks.pose.keypoints import SWAP_INDEX


@pytest.mark.parametrize("index", range(70, 308), ids=lambda k: NAMES[k])
def test_face_place__mirrors_as_the_swap_table_says(index: int) -> None:
    x, y, z, jaw = face_place(NAMES[index])
    assert (-x, y, z, jaw) == pytest.approx(face_place(NAMES[SWAP_INDEX[index]]), abs=1e-9)


def test_face_place__unknown_name() -> None:
    with pytest.raises(KeyError):
        face_place("left_knee")
