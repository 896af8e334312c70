"""Smoothing of a clip's results: person by person, in order, reported."""

import dataclasses

import numpy as np
import pytest

from sapiens.imaging.frame import Frame
from sapiens.inference.item import Item, Source
from sapiens.inference.steady import Steadier, has_keypoints
from sapiens.tasks import get_task
from sapiens.tasks.base import Meta
from sapiens.tasks.pose.result import PoseResult


class FakeClip:
    id, entry = "clip", None

    def sources(self):
        raise NotImplementedError


def item(index: int, clip, keypoints: np.ndarray, ids, fps: float = 25.0) -> Item:
    frame = Frame(np.zeros((50, 50, 3), np.uint8), "f", index, index / fps if clip is not None else None)
    made = Item(Source("f", lambda: frame, clip=clip), index, frame)
    meta = Meta("f", (50, 50), "pose", "m", "w", "float32", "default")
    people = len(keypoints)
    made.results["pose"] = PoseResult(
        meta=meta,
        boxes_xyxy=np.tile(np.array([[0, 0, 20, 50]], np.float32), (people, 1)),
        box_scores=np.ones(people, np.float32),
        keypoints=keypoints.astype(np.float32),
        scores=np.ones((people, 308), np.float32),
        ids=None if ids is None else np.array(ids, np.int32),
    )
    return made


def noise(frames: int, people: int) -> np.ndarray:
    return 20 + np.random.default_rng(0).normal(0, 1, (frames, people, 308, 2))


def test_smooth__jitter_falls_and_people_are_kept_apart() -> None:
    steadier, clip, points = Steadier(), FakeClip(), noise(60, 2)
    points[:, 1] += 1000
    got = []
    for t in range(60):
        order = [0, 1] if t % 2 else [1, 0]
        one = item(t, clip, points[t][order], [o + 1 for o in order])
        steadier(one)
        got.append(one.results["pose"].keypoints[np.argsort(order)])
    smooth = np.array(got)
    assert smooth.dtype == np.float32
    assert np.abs(smooth[20:, 0] - 20).mean() < 0.6 * np.abs(points[20:, 0] - 20).mean()
    assert np.abs(smooth[:, 1] - 1020).max() < 5
    assert 0.9 < steadier.report.jitter_before_px < 1.1
    assert steadier.report.jitter_after_px < 0.5


def test_smooth__begins_anew_with_a_clip_and_after_a_long_gap() -> None:
    steadier, points = Steadier(), noise(4, 1)
    first = FakeClip()
    for clip, times in ((first, (0, 1)), (FakeClip(), (0,)), (first, (0, 500))):
        for k, t in enumerate(times):
            one = item(t, clip, points[t % 4] + 30 * k, [1])
            steadier(one)
            if k == 0 or t == 500:
                assert np.allclose(one.results["pose"].keypoints, points[t % 4] + 30 * k, atol=1e-4)


def test_smooth__pictures_and_results_without_ids_are_left_alone() -> None:
    points = noise(2, 1)
    for clip, ids in ((None, [1]), (FakeClip(), None)):
        steadier = Steadier()
        for t in range(2):
            one = item(t, clip, points[t], ids)
            before = one.results["pose"]
            steadier(one)
            assert one.results["pose"] is before


def test_smooth__nobody_is_fine() -> None:
    one = item(0, FakeClip(), np.zeros((0, 308, 2)), [])
    Steadier()(one)
    assert len(one.results["pose"]) == 0


@pytest.mark.parametrize(("task", "wanted"), [("pose", True), ("seg", False), ("matting", False)])
def test_has_keypoints(task: str, wanted: bool) -> None:
    assert has_keypoints(get_task(task)) is wanted


def test_ids__come_back_from_a_saved_result(tmp_path) -> None:
    result = dataclasses.replace(item(0, FakeClip(), noise(1, 2)[0], [3, 9]).results["pose"], image=None)
    again = PoseResult.load(result.save(tmp_path / "a.npz"))
    assert again.ids.tolist() == [3, 9]
    assert again.ids.dtype == np.int32
