"""Cameras, through a stand-in: frames on time, the end said, the device let go."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from sapiens.errors import InputError
from sapiens.imaging.camera import read_camera
from sapiens.imaging.frame_range import FrameRange


class FakeCamera:
    """Gives so many frames, then nothing."""

    frames = 4
    released = 0

    def __init__(self, number: int) -> None:
        self._given = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.frames > 0

    def read(self):
        self._given += 1
        blue = np.zeros((6, 8, 3), np.uint8)
        blue[..., 0] = 200
        return (True, blue) if self._given <= self.frames else (False, None)

    def release(self) -> None:
        type(self).released += 1


@pytest.fixture
def fake(monkeypatch):
    class Camera(FakeCamera):
        pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    return Camera


def test_camera__frames_then_the_end_is_said(fake) -> None:
    camera = read_camera(0)
    frames = [next(camera) for _ in range(4)]
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert frames[0].time_s == 0.0
    assert all(a.time_s <= b.time_s for a, b in pairwise(frames))
    assert frames[0].image[0, 0].tolist() == [0, 0, 200]
    with pytest.raises(InputError, match="camera:0: the camera stopped after 4 frames"):
        next(camera)
    assert fake.released == 1


def test_camera__range_ends_it(fake) -> None:
    assert [f.index for f in read_camera(0, FrameRange(1, 4, 2))] == [1, 3]
    assert fake.released == 1


def test_camera__early_stop_lets_it_go(fake) -> None:
    camera = read_camera(0)
    next(camera)
    camera.close()
    assert fake.released == 1


def test_camera__not_there(fake) -> None:
    fake.frames = 0
    with pytest.raises(InputError, match="camera:3: there is no such camera"):
        next(read_camera(3))
