"""People through clips: numbers, subjects, and the detector in every so many frames."""

import numpy as np
import pytest
from helpers_clips import crossing, detect

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.inference.follow import OUT_OF_SIGHT, Follower, Subject
from sapiens.inference.item import Item, Source
from sapiens.inference.people import NOBODY
from sapiens.tasks.base import People
from sapiens.tracking.tracker import overlaps

SMALL, LARGE, MIDDLE = [5, 5, 25, 60], [60, 0, 130, 99], [30, 20, 60, 80]


class FakeClip:
    id, entry = "clip", None

    def sources(self):
        raise NotImplementedError


CLIP = FakeClip()


def item(index: int, clip=CLIP, size_hw=(100, 90), fps: float = 25.0, image=None) -> Item:
    picture = np.zeros((*size_hw, 3), np.uint8) if image is None else image
    frame = Frame(picture, f"f{index}", index, index / fps)
    return Item(Source(f"f{index}", lambda: frame, clip=clip), index, frame)


class Finder:
    """Gives the boxes it was made with, frame by frame, and counts its calls."""

    def __init__(self, *frames) -> None:
        self.frames, self.calls = list(frames), []

    def __call__(self, item: Item) -> None:
        self.calls.append(item.index)
        boxes = np.array(self.frames[min(item.index, len(self.frames) - 1)], np.float32).reshape(-1, 4)
        item.people = People(boxes, np.ones(len(boxes), np.float32), None if len(boxes) else NOBODY)


def follow(follower: Follower, count: int, **changes) -> list[People]:
    found = []
    for index in range(count):
        one = item(index, **changes)
        follower(one)
        found.append(one.people)
    return found


def test_ids__on_clips_alone() -> None:
    people = follow(Follower(Finder([SMALL, LARGE])), 3)
    assert [p.ids.tolist() for p in people] == [[1, 2]] * 3
    assert people[0].ids.dtype == np.int32
    assert follow(Follower(Finder([SMALL])), 1, clip=None)[0].ids is None


def test_ids__begin_anew_with_another_clip() -> None:
    follower = Follower(Finder([SMALL]))
    follow(follower, 2)
    other = item(0, clip=FakeClip())
    follower(other)
    assert other.people.ids.tolist() == [1]


def test_ids__a_clip_that_changes_size_gives_new_numbers() -> None:
    follower = Follower(Finder([SMALL]), every=5)
    follow(follower, 2)
    larger = item(2, size_hw=(200, 180))
    follower(larger)
    assert larger.people.ids.tolist() == [2]


def test_every__detector_looks_at_every_so_many_frames() -> None:
    finder = Finder(*[[[2 * t, 10, 2 * t + 30, 90]] for t in range(30)])
    people = follow(Follower(finder, every=4), 30)
    assert finder.calls == list(range(0, 30, 4))
    assert all(p.ids.tolist() == [1] for p in people)
    for t in range(8, 30):
        assert np.abs(people[t].boxes_xyxy[0] - [2 * t, 10, 2 * t + 30, 90]).max() < 3


def test_every__nobody_is_carried_from_nobody() -> None:
    people = follow(Follower(Finder([]), every=3), 5)
    assert [p.note for p in people] == [NOBODY] * 5
    assert all(len(p) == 0 for p in people)


def test_every__whoever_walks_out_is_not_carried_outside() -> None:
    finder = Finder(*[[[50 + 12 * t, 10, 70 + 12 * t, 80]] for t in range(3)])
    people = follow(Follower(finder, every=1), 3)
    follower = Follower(Finder(*[[[50 + 12 * t, 10, 70 + 12 * t, 80]] for t in range(3)]), every=2)
    people = follow(follower, 10)
    for p in people:
        assert (p.boxes_xyxy[:, 0] < 90).all()


def test_every__error_of_carried_boxes_is_small_on_people_that_cross() -> None:
    """Overlap with the truth in frames without detector: better moved on than held still."""
    for every, least in ((2, 0.84), (3, 0.79), (5, 0.72)):
        moved, held = [], []
        for seed in (0, 3, 4):
            clip = crossing(seed)
            truth, detections = detect(clip, 0, miss=0.0)
            finder = Finder(*detections)
            follower = Follower(finder, every=every)
            last = None
            for t in range(len(truth)):
                one = item(t, fps=clip.fps, image=clip.images[t])
                follower(one)
                if t % every == 0:
                    last = one.people.boxes_xyxy
                elif len(truth[t][0]) and len(one.people):
                    moved.append(overlaps(truth[t][0], one.people.boxes_xyxy).max(1).mean())
                    held.append(overlaps(truth[t][0], last).max(1).mean())
        assert np.mean(moved) > least, every
        assert np.mean(moved) > np.mean(held) + 0.04, every


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("largest", LARGE, id="largest"),
        pytest.param("centre", MIDDLE, id="centre"),
        pytest.param("center", MIDDLE, id="spelled the other way"),
        pytest.param("id:1", SMALL, id="by number"),
        pytest.param("box:0,0,30,60", SMALL, id="by box"),
    ],
)
def test_subject__one_is_kept(text: str, wanted: list[int]) -> None:
    people = follow(Follower(Finder([SMALL, LARGE, MIDDLE]), subject=Subject.parse(text)), 2)
    for p in people:
        assert p.boxes_xyxy.tolist() == [wanted]
        assert len(p.scores) == len(p.ids) == 1


def test_subject__is_followed_though_another_becomes_larger() -> None:
    frames = [
        [[0, 20, 30, 90], [60, 40, 80, 80]],
        [[0, 20, 30, 90], [58, 30, 82, 90]],
        [[0, 20, 30, 90], [50, 5, 89, 99]],
    ]
    people = follow(Follower(Finder(*frames), subject=Subject("largest")), 3)
    assert [p.ids.tolist() for p in people] == [[1], [1], [1]]


def test_subject__out_of_sight_is_said_and_nobody_else_is_taken() -> None:
    people = follow(Follower(Finder([LARGE, SMALL], [SMALL], [LARGE, SMALL]), subject=Subject("largest")), 3)
    assert [len(p) for p in people] == [1, 0, 1]
    assert people[1].note == OUT_OF_SIGHT
    assert people[2].ids.tolist() == people[0].ids.tolist()


def test_subject__given_up_after_a_while_and_chosen_anew() -> None:
    finder = Finder([LARGE, SMALL], *[[SMALL]] * 80)
    people = follow(Follower(finder, subject=Subject("largest")), 80)
    assert len(people[10]) == 0
    assert people[79].boxes_xyxy.tolist() == [SMALL]


def test_subject__number_that_never_was() -> None:
    people = follow(Follower(Finder([SMALL]), subject=Subject.parse("id:7")), 2)
    assert [(len(p), p.note) for p in people] == [(0, OUT_OF_SIGHT)] * 2


def test_subject__pictures_take_places_but_no_numbers() -> None:
    (people,) = follow(Follower(Finder([SMALL, LARGE]), subject=Subject("largest")), 1, clip=None)
    assert people.boxes_xyxy.tolist() == [LARGE]
    with pytest.raises(InputError, match="people have numbers in clips only"):
        follow(Follower(Finder([SMALL]), subject=Subject.parse("id:1")), 1, clip=None)


@pytest.mark.parametrize(
    "text",
    ["", "tallest", "id", "id:", "id:x", "box:1,2,3", "box:9,9,1,1", "largest:2", "box:a,b,c,d", "box:1,2,3,nan"],
)
def test_subject__refused(text: str) -> None:
    with pytest.raises(InputError, match="expected all, largest, centre, id:NUMBER or box"):
        Subject.parse(text)


def test_every__refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        Follower(Finder([]), every=0)
