"""What predicted surface normals are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sapiens.imaging.sample import Sample
from sapiens.nn.angles import unit
from sapiens.tasks.base import Meta
from sapiens.tasks.measuring import annotation, known_mask
from sapiens.tasks.normal.result import NormalResult
from sapiens.tasks.yardstick import Answer, MeanMap, Yardstick


def truth(sample: Sample, meta: Meta) -> NormalResult:
    """The normals and where they are known."""
    normals = np.nan_to_num(annotation(sample, "normals")).astype(np.float32)
    return NormalResult(meta=meta, image=sample.image, normals=normals, mask=known_mask(sample))


def flat_plane(samples: Iterable[Sample]) -> Answer:
    """Everything faces the camera."""

    def answer(sample: Sample, meta: Meta) -> NormalResult:
        normals = np.zeros((*sample.size_hw, 3), np.float32)
        normals[..., 2] = 1
        return NormalResult(meta=meta, image=sample.image, normals=normals)

    return answer


def mean_map(samples: Iterable[Sample]) -> Answer:
    """The mean direction of each place of the picture."""
    mean = MeanMap(3)
    for sample in samples:
        normals = annotation(sample, "normals")
        mean.add(unit(normals), known_mask(sample))
    return lambda sample, meta: NormalResult(
        meta=meta, image=sample.image, normals=unit(mean.at(sample.size_hw)).astype(np.float32)
    )


YARDSTICK = Yardstick(
    shown={
        "mean_deg": "low",
        "median_deg": "low",
        "rmse_deg": "low",
        "percent_below_11.25_deg": "high",
        "percent_below_30_deg": "high",
    },
    truth=truth,
    trivial={"flat plane": flat_plane, "mean map": mean_map},
)
