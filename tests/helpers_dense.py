"""What the tests of the dense tasks share: recorded pictures, and a task's way from raw outputs to a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sapiens.imaging.frame import Frame
from sapiens.tasks import get_task
from sapiens.tasks.base import Meta, Result, Setup

PICTURES = ("p", "l", "s")
"""The recorded pictures: portrait, landscape, and one smaller than the network's maps."""

ODD_SIZES_HW = [(1, 1), (1, 500), (7, 1000)]

_GOLDEN = Path(__file__).parent / "golden" / "io"


def golden(task):
    """Recorded arrays of a task, by name."""
    with np.load(_GOLDEN / f"{task}_end_to_end.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def rgb(image_bgr):
    """A recorded BGR picture as RGB."""
    return np.ascontiguousarray(image_bgr[..., ::-1])


def make_meta(task, size_hw, compat="default"):
    return Meta("picture", tuple(size_hw), task, "sapiens2_nano_" + task, "untrained", "float32", compat)


def finish(task, raw, image, compat="default", **options) -> Result:
    """The result of a task for raw outputs (C, h, w) of a network of that size."""
    record = get_task(task)
    name = next(iter(record.forward(torch.nn.Identity(), torch.zeros(1, 3, 2, 2), None)))
    maps = torch.as_tensor(np.asarray(raw, np.float32))[None]
    frame = Frame(image, "picture")
    setup = Setup(tuple(maps.shape[-2:]), compat, record.options(**options))
    prepared = record.preprocess(frame, None, setup)
    return record.postprocess({name: maps}, prepared, frame, None, setup, make_meta(task, frame.size_hw, compat))


def random_picture(size_hw, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), np.uint8)


def assert_same(first, second):
    """Two results with equal arrays and meta data."""
    assert first.meta == second.meta
    assert first.arrays().keys() == second.arrays().keys()
    for name, value in first.arrays().items():
        assert value.dtype == second.arrays()[name].dtype
        np.testing.assert_array_equal(value, second.arrays()[name])
