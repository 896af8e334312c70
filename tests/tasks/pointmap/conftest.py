"""Ways to a point map result: from raw outputs, and made by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers_dense import golden, make_meta, rgb

from sapiens.imaging.frame import Frame
from sapiens.tasks.base import Setup
from sapiens.tasks.pointmap import TASK
from sapiens.tasks.pointmap.result import PointmapResult


@pytest.fixture
def finish():
    """The result for raw outputs (3, h, w) and a scale of a network of that size."""

    def run(pointmap, scale, image, compat="default", **options):
        maps = torch.as_tensor(np.asarray(pointmap, np.float32))[None]
        frame = Frame(image, "picture")
        setup = Setup(tuple(maps.shape[-2:]), compat, TASK.options(**options))
        prepared = TASK.preprocess(frame, None, setup)
        raw = {"pointmap": maps, "scale": torch.tensor([[scale]], dtype=torch.float32)}
        meta = make_meta("pointmap", frame.size_hw, compat)
        return TASK.postprocess(raw, prepared, frame, None, setup, meta)

    return run


@pytest.fixture
def recorded(finish):
    """The result for a recorded picture, with its mask or without."""

    def make(name, compat="reference", *, mask=True):
        stored = golden("pointmap")
        image, scale = rgb(stored[f"image_{name}"]), stored[f"scale_{name}"].item()
        result = finish(stored[f"network_{name}"], scale, image, compat)
        return result.with_mask(stored[f"mask_{name}"]) if mask else result

    return make


@pytest.fixture
def slanted():
    """A result with a plane that recedes to the right, seen by a camera of focal length 100, and a random picture."""

    def make(height=4, width=5, *, seed=0, **changes):
        v, u = np.mgrid[0:height, 0:width].astype(np.float32)
        z = 2 + 0.05 * u
        x, y = (u - (width - 1) / 2) * z / 100, (v - (height - 1) / 2) * z / 100
        matrix = np.array([[100, 0, (width - 1) / 2], [0, 100, (height - 1) / 2], [0, 0, 1]])
        result = PointmapResult(
            meta=make_meta("pointmap", (height, width)),
            image=np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8),
            points=np.stack([x, y, z], -1).astype(np.float32),
            scale=1.0,
            metric=True,
            intrinsics=matrix,
        )
        return dataclasses.replace(result, **changes)

    return make
