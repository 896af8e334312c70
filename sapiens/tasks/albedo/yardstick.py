"""What predicted albedo is held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sapiens.imaging.sample import Sample
from sapiens.tasks.albedo.result import AlbedoResult
from sapiens.tasks.base import Meta
from sapiens.tasks.measuring import annotation, known_mask
from sapiens.tasks.yardstick import Answer, MeanMap, Yardstick


def truth(sample: Sample, meta: Meta) -> AlbedoResult:
    """The albedo and where it is known."""
    albedo = np.nan_to_num(annotation(sample, "albedo")).astype(np.float32)
    return AlbedoResult(meta=meta, image=sample.image, albedo=albedo, mask=known_mask(sample))


def picture_itself(samples: Iterable[Sample]) -> Answer:
    """The picture as it is, light and shade included."""
    return lambda sample, meta: AlbedoResult(
        meta=meta, image=sample.image, albedo=np.asarray(sample.image / np.float32(255), np.float32)
    )


def mean_colour(samples: Iterable[Sample]) -> Answer:
    """The mean albedo, everywhere."""
    mean = MeanMap(3)
    for sample in samples:
        mean.add(annotation(sample, "albedo"), known_mask(sample))
    colour = mean.overall.astype(np.float32)

    def answer(sample: Sample, meta: Meta) -> AlbedoResult:
        albedo = np.broadcast_to(colour, (*sample.size_hw, 3)).copy()
        return AlbedoResult(meta=meta, image=sample.image, albedo=albedo)

    return answer


YARDSTICK = Yardstick(
    shown={
        "mae": "low",
        "rmse": "low",
        "psnr": "high",
        "ssim": "high",
        "grad_l1": "low",
    },
    truth=truth,
    trivial={"input": picture_itself, "mean colour": mean_colour},
)
