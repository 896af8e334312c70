import pytest

from sapiens.errors import UnknownNameError
from sapiens.tasks.pose import keypoints as table


def test_keypoints__308_unique_names() -> None:
    assert len(table.NAMES) == len(set(table.NAMES)) == 308
    assert [point.index for point in table.KEYPOINTS] == list(range(308))


def test_swap__is_its_own_inverse() -> None:
    assert [table.SWAP_INDEX[other] for other in table.SWAP_INDEX] == list(range(308))


def test_swap__exchanges_left_and_right() -> None:
    for point in table.KEYPOINTS:
        other = table.NAMES[point.swap_index]
        sides = {"left_": "right_", "right_": "left_", "l_": "r_", "r_": "l_"}
        side = next((side for side in sides if point.name.startswith(side)), None)
        if side is not None:
            assert other.startswith(sides[side]), point.name


def test_swap__inner_helix_follows_the_table_not_the_names() -> None:
    assert table.NAMES[table.SWAP_INDEX[table.keypoint_index("l_point_2_of_inner_helix")]] == "r_point_8_of_inner_helix"


def test_parts__sizes_add_up() -> None:
    sizes = {part: len(indices) for part, indices in table.PARTS.items()}
    assert sizes == {"body": 17, "foot": 6, "right_hand": 20, "left_hand": 20, "extra": 7, "face": 238}
    assert sorted(index for indices in table.PARTS.values() for index in indices) == list(range(308))


def test_parts__body_is_coco_in_its_order() -> None:
    names = [table.NAMES[index] for index in table.PARTS["body"]]
    assert names == list(table.COCO17_NAMES)
    assert names[9:13] == ["left_wrist", "right_wrist", "left_hip", "right_hip"]


def test_halves__upper_and_lower() -> None:
    assert (len(table.UPPER_BODY), len(table.LOWER_BODY)) == (51, 12)
    assert list(table.LOWER_BODY) == list(range(9, 21))


def test_links__65_between_existing_points() -> None:
    assert len(table.LINKS) == 65
    assert all(0 <= link.start < 308 and 0 <= link.end < 308 for link in table.LINKS)
    face = set(table.PARTS["face"])
    assert not any({link.start, link.end} & face for link in table.LINKS)


def test_sigmas__of_the_two_hands_are_equal() -> None:
    assert table.SIGMAS[21:41] == table.SIGMAS[42:62]
    assert set(table.SIGMAS[70:]) == {0.01}
    assert set(table.WEIGHTS) == {1.0}


def test_wholebody__tables_belong_together() -> None:
    assert len(table.WHOLEBODY133_NAMES) == len(table.WHOLEBODY133_SIGMAS) == 133
    assert len(set(table.WHOLEBODY133_NAMES)) == 133
    assert all(max(link.start, link.end) < 133 for link in table.WHOLEBODY133_LINKS)


def test_keypoint_index__suggests_the_nearest() -> None:
    assert table.keypoint_index("left_wrist") == 62
    with pytest.raises(UnknownNameError, match="did you mean 'left_wrist'"):
        table.keypoint_index("left_wrst")
