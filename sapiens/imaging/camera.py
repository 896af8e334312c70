"""Frames of a camera on this machine, through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.imaging.frame_range import FrameRange


def read_camera(number: int, frames: FrameRange = FrameRange()) -> Iterator[Frame]:  # noqa: B008 - frozen
    """Frames as they come, without end unless `frames` has one; `time_s` counts from the first.

    Args:
        number: of the camera, from 0, as OpenCV counts them.
        frames: which to yield.

    Raises:
        InputError: no such camera, at once; or it stopped, after the frames it gave.
    """
    name = f"camera:{number}"
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise InputError(f"{name}: there is no such camera, or another program has it")
        start, index = 0.0, 0
        while not frames.ends_before(index):
            good, image_bgr = camera.read()
            if not good:
                raise InputError(f"{name}: the camera stopped after {index} frames")
            now = time.monotonic()
            start = start or now
            if index in frames:
                image = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(image, f"{name}:{index}", index, now - start)
            index += 1
    finally:
        camera.release()
