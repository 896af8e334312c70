"""People by their parts."""

import numpy as np
import pytest

from sapiens.synth import render
from sapiens.tasks.seg.people import find_people


def figure(labels, left, top=20):
    """A head above a torso, 20 wide and 60 high."""
    labels[top : top + 15, left + 5 : left + 15] = 3
    labels[top + 15 : top + 60, left : left + 20] = 23


def picture(*lefts):
    labels = np.zeros((100, 150), np.uint8)
    for left in lefts:
        figure(labels, left)
    return labels


@pytest.mark.parametrize(
    ("labels", "boxes"),
    [
        pytest.param(picture(), [], id="nobody"),
        pytest.param(picture(30), [[30, 20, 49, 79]], id="one"),
        pytest.param(picture(30, 90), [[30, 20, 49, 79], [90, 20, 109, 79]], id="two apart"),
        pytest.param(picture(30, 50), [[30, 20, 49, 79], [50, 20, 69, 79]], id="two that touch"),
        pytest.param(np.eye(100, 150, dtype=np.uint8) * 3, [[0, 0, 99, 99]], id="a thin line still is a region"),
    ],
)
def test_find_people__boxes(labels, boxes):
    found = find_people(labels)
    assert sorted(found.boxes_xyxy.tolist()) == boxes
    assert found.boxes_xyxy.dtype == np.float32
    assert ((found.scores > 0) & (found.scores <= 1)).all()


def test_find_people__specks_are_nobody():
    labels = picture(30)
    labels[90:92, 140:142] = 4
    assert len(find_people(labels)) == 1


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (9, 1)])
def test_find_people__a_line_of_pixels_has_no_box(size_hw):
    assert len(find_people(np.full(size_hw, 3, np.uint8))) == 0


def test_find_people__procedural_people_from_their_true_parts():
    """With exact parts, most people of a crowd get a box that overlaps theirs by half."""
    scenes = render(77, 24, (256, 192), people=(1, 2))
    hits = total = 0
    for k in range(len(scenes)):
        found = find_people(scenes.labels[k].numpy()).boxes_xyxy
        for truth in scenes.boxes_xyxy[k][scenes.present[k]].numpy():
            total += 1
            hits += any(overlap(box, truth) > 0.5 for box in found)
    assert hits / total > 0.6


def overlap(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inner = max(sides[0], 0) * max(sides[1], 0)
    return inner / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner)
