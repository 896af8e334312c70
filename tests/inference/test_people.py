"""Who says where the people are, and what happens when nobody can."""

import numpy as np
import pytest
from toy import source

from sapiens.detection import Detections
from sapiens.errors import WeightsError
from sapiens.inference.item import Item
from sapiens.inference.people import NOBODY, PeopleFinder

BOX = np.array([[0, 0, 1, 1]], np.float32)


def item(value: int = 0) -> Item:
    made = Item(source(value), value)
    made.frame = made.source.read()
    return made


def never():
    raise AssertionError("no detector is needed")


def finder(found: np.ndarray, **settings) -> PeopleFinder:
    def detect(images):
        return [Detections(found, np.ones(len(found), np.float32)) for _ in images]

    return PeopleFinder(lambda: detect, **settings)


def people(find: PeopleFinder, made: Item):
    find(made)
    return made.people


def test_order__given_boxes_then_whole_picture_then_detector() -> None:
    given = people(PeopleFinder(never, boxes=lambda item: BOX, whole_image=True), item())
    np.testing.assert_array_equal(given.boxes_xyxy, BOX)
    whole = people(PeopleFinder(never, boxes=lambda item: None, whole_image=True), item())
    np.testing.assert_array_equal(whole.boxes_xyxy, [[0, 0, 2, 1]])
    assert whole.note == "whole picture as one person"
    np.testing.assert_array_equal(people(finder(BOX + 1, boxes=lambda item: None), item()).boxes_xyxy, BOX + 1)


@pytest.mark.parametrize(("reference", "count", "note"), [(False, 0, NOBODY), (True, 1, "whole picture as one person")])
def test_nobody__is_empty_except_in_the_original(reference: bool, count: int, note: str) -> None:
    found = people(finder(np.zeros((0, 4), np.float32), whole_if_nobody=reference), item())
    assert (len(found), found.note) == (count, note)


def test_detector__a_failure_to_load_is_not_tried_again_for_every_picture() -> None:
    tries = []

    def fail():
        tries.append(1)
        raise WeightsError("no weights")

    find = PeopleFinder(fail)
    for number in range(3):
        with pytest.raises(WeightsError, match="no weights"):
            find(item(number))
    assert len(tries) == 1
