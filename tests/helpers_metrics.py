"""What the tests of metrics share: recorded values, results around arrays, and sums split over processes."""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta

GOLDEN = Path(__file__).parent / "golden" / "train"


def recorded(name):
    """The arrays of a recorded file."""
    with np.load(GOLDEN / name, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def recorded_numbers(task):
    """The numbers that the original's evaluator gave."""
    return json.loads((GOLDEN / "metrics_dense.json").read_text())[task]


def enlarge(maps, size_hw):
    """(C, h, w) -> (H, W, C) float32, bilinear, as evaluators resize predictions to the truth."""
    return F.interpolate(torch.from_numpy(maps)[None], size=size_hw, mode="bilinear")[0].permute(1, 2, 0).numpy()


def recorded_pairs(arrays, task):
    """(prediction (H, W, C) at the truth's size, truth (H, W, C), mask (H, W)) of every recorded picture."""
    for batch in (0, 1):
        for pred, truth, mask in zip(
            *(arrays[f"{task}/{batch}/{name}"] for name in ("pred", "gt", "mask")), strict=True
        ):
            yield enlarge(pred, truth.shape[-2:]), truth.transpose(1, 2, 0), mask[0]


def meta(task, size_hw, compat="default", image_id="a"):
    return Meta(image_id, tuple(size_hw), task, f"sapiens2_nano_{task}", "untrained", "float32", compat)


def sample(size_hw, name="a", extra=None, **fields):
    """A black picture with annotations."""
    return Sample(np.zeros((*size_hw, 3), np.uint8), name, fields, extra or {})


def assert_same_however_split(make, pairs):
    """One process, three in any order, and a round trip of the state give the same bits."""
    whole = make()
    for result, truth in pairs:
        whole.update(result, truth)
    parts = [make() for _ in range(3)]
    for index, (result, truth) in enumerate(pairs[::-1]):
        parts[index % 3].update(result, truth)
    merged = make()
    for part in parts[::-1]:
        merged.merge(part.state())
    assert all(array.dtype.kind in "fiUb" for array in merged.state().values()), "no objects: states travel unpickled"
    want, got = whole.compute(), merged.compute()
    assert want.keys() == got.keys()
    different = {
        k: (want[k], got[k]) for k in want if want[k] != got[k] and not (math.isnan(want[k]) and math.isnan(got[k]))
    }
    assert different == {}
