"""Numbers for people: they stay through noise, misses, crossings and odd clocks."""

import numpy as np
import pytest
from helpers_clips import crossing, detect

from sapiens.synth import render_clip
from sapiens.tracking import Tracker, score_tracks
from sapiens.tracking.tracker import overlaps


def walk(speed: float, frames: int, start: float = 0.0) -> list[np.ndarray]:
    return [np.array([[start + speed * t, 10, start + speed * t + 30, 90]]) for t in range(frames)]


def follow(detections, fps: float = 25.0, images=None, every: int = 1):
    tracker, found = Tracker(), []
    for t, boxes in enumerate(detections):
        if t % every == 0:
            ids = tracker.update(boxes, np.ones(len(boxes)), t / fps, None if images is None else images[t])
            found.append((boxes, ids))
        else:
            boxes, _, ids = tracker.predict(t / fps)
            found.append((boxes, ids))
    return found


def test_update__one_person_one_number() -> None:
    assert {int(ids[0]) for _, ids in follow(walk(2, 50))} == {1}


def test_update__the_order_of_boxes_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    pair = np.array([[0, 0, 30, 90], [100, 0, 130, 90]], np.float32)
    tracker = Tracker()
    first = tracker.update(pair, np.ones(2), 0.0)
    for t in range(1, 20):
        order = rng.permutation(2)
        ids = tracker.update(pair[order], np.ones(2), t / 25)
        assert ids.tolist() == first[order].tolist()


def test_update__nobody_is_fine_and_numbers_come_back_until_given_up() -> None:
    tracker, box = Tracker(lost_after_s=1.0), np.array([[0, 0, 30, 90]])
    none = np.zeros((0, 4))
    assert tracker.update(box, np.ones(1), 0.0).tolist() == [1]
    for t in range(1, 20):
        assert tracker.update(none, np.zeros(0), t / 25).tolist() == []
    assert tracker.knows(1)
    assert tracker.update(box, np.ones(1), 0.84).tolist() == [1]
    for t in range(60):
        tracker.update(none, np.zeros(0), 1 + t / 25)
    assert not tracker.knows(1)
    assert tracker.update(box, np.ones(1), 3.5).tolist() == [2]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([None] * 12, id="none"),
        pytest.param([0.0] * 12, id="standing still"),
        pytest.param([5.0, 5.04, 5.08, 1.0, 1.04, 1.08, 1.12, 1.16, 1.2, 1.24, 1.28, 1.32], id="jumping back"),
    ],
)
def test_update__odd_clocks_keep_numbers(times) -> None:
    tracker = Tracker()
    ids = [int(tracker.update(box, np.ones(1), t)[0]) for box, t in zip(walk(1, 12), times, strict=True)]
    assert set(ids) == {1}


def test_update__a_jump_across_the_picture_is_someone_else() -> None:
    tracker = Tracker()
    tracker.update(np.array([[0, 0, 30, 90]]), np.ones(1), 0.0)
    assert tracker.update(np.array([[300, 0, 330, 90]]), np.ones(1), 0.04).tolist() == [2]


def test_update__colours_settle_what_places_cannot() -> None:
    """Two people in one spot while hidden from each other: whoever has the red shirt keeps the number."""
    red, blue = np.array([200, 30, 30]), np.array([30, 30, 200])

    def picture(left, right) -> np.ndarray:
        image = np.full((100, 200, 3), 120, np.uint8)
        image[5:95, 20:60], image[5:95, 60:100] = left, right
        return image

    boxes = np.array([[20, 5, 60, 95], [60, 5, 100, 95]], np.float32)
    close = np.array([[32, 5, 72, 95], [48, 5, 88, 95]], np.float32)
    tracker = Tracker()
    assert tracker.update(boxes, np.ones(2), 0.0, picture(red, blue)).tolist() == [1, 2]
    tracker.update(close, np.ones(2), 0.04, None)
    swapped = tracker.update(close, np.ones(2), 0.4, picture(blue, red))
    assert swapped.tolist() == [2, 1]


def test_predict__moves_on_as_before() -> None:
    tracker = Tracker()
    boxes = walk(3, 30)
    for t in range(25):
        tracker.update(boxes[t], np.ones(1), t / 25)
    for t in range(25, 30):
        predicted, scores, ids = tracker.predict(t / 25)
        assert np.abs(predicted[0] - boxes[t][0]).max() < 2
        assert (scores.tolist(), ids.tolist()) == ([1.0], [1])
        assert predicted.dtype == np.float32


def test_predict__who_left_is_not_carried() -> None:
    tracker = Tracker()
    pair = np.array([[0, 0, 30, 90], [100, 0, 130, 90]], np.float32)
    tracker.update(pair, np.ones(2), 0.0)
    tracker.update(pair[:1], np.ones(1), 0.04)
    assert tracker.predict(0.08)[2].tolist() == [1]
    assert Tracker().predict(0.0)[0].shape == (0, 4)


def scored(clip, seed: int, every: int = 1):
    truth, detections = detect(clip, seed)
    return score_tracks(truth, follow(detections, clip.fps, clip.images, every))


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_crossing__two_people_keep_their_numbers(seed: int) -> None:
    """Procedural people walk past each other, one wholly hidden for a while; noise of 3 % of the height, 5 % missed."""
    clip = crossing(seed)
    assert clip.seen.min() < 0.3
    for noise in range(6):
        scores = scored(clip, noise)
        assert scores.switches == 0, noise
        assert scores.mota > 0.85
        assert scores.idf1 > 0.92


def test_crossing__three_people_few_switches() -> None:
    clips = [crossing(seed, 3) for seed in (0, 2)]
    all_scores = [scored(clip, noise) for clip in clips for noise in range(5)]
    assert sum(s.switches for s in all_scores) <= 4
    assert np.mean([s.idf1 for s in all_scores]) > 0.9


def test_crossing__detector_in_every_third_frame() -> None:
    clip = crossing(4)
    for noise in range(3):
        scores = scored(clip, noise, every=3)
        assert scores.switches == 0
        assert scores.idf1 > 0.9


def test_rendered_clip__people_side_by_side() -> None:
    """The clip as `sapiens synth --clip` makes it: true boxes with noise, in any order."""
    clip = render_clip(1, 30, (96, 128), fps=10, people=(3, 3))
    rng = np.random.default_rng(0)
    truth, detections = [], []
    for boxes, present in zip(clip.boxes_xyxy.numpy(), clip.present.numpy(), strict=True):
        who = np.flatnonzero(present)
        truth.append((boxes[who], who))
        height = (boxes[who, 3] - boxes[who, 1])[:, None]
        detections.append((boxes[who] + rng.normal(0, 0.03, (len(who), 4)) * height)[rng.permutation(len(who))])
    images = clip.image.permute(0, 2, 3, 1).numpy()
    scores = score_tracks(truth, follow(detections, 10, np.ascontiguousarray(images)))
    assert scores.switches == 0
    assert scores.mota > 0.95
    assert scores.idf1 > 0.97


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        pytest.param([0, 0, 10, 10], 1.0, id="same"),
        pytest.param([5, 0, 15, 10], 1 / 3, id="half"),
        pytest.param([10, 0, 20, 10], 0.0, id="touching"),
        pytest.param([5, 5, 5, 5], 0.0, id="empty"),
    ],
)
def test_overlaps(other: list[float], wanted: float) -> None:
    assert overlaps(np.array([[0, 0, 10, 10.0]]), np.array([other], float))[0, 0] == pytest.approx(wanted)
