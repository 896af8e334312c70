"""What predicted body parts are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta
from sapiens.tasks.measuring import annotation
from sapiens.tasks.seg.classes import NAMES
from sapiens.tasks.seg.result import SegResult
from sapiens.tasks.yardstick import Answer, MeanMap, Yardstick


def truth(sample: Sample, meta: Meta) -> SegResult:
    """The labels; unknown ones stay 255."""
    return SegResult(meta=meta, image=sample.image, labels=np.ascontiguousarray(annotation(sample, "labels"), np.uint8))


def majority_class(samples: Iterable[Sample]) -> Answer:
    """The most common class, everywhere."""
    counts = np.zeros(256, np.int64)
    for sample in samples:
        counts += np.bincount(annotation(sample, "labels").ravel(), minlength=256)
    best = int(counts[: len(NAMES)].argmax())
    return lambda sample, meta: SegResult(meta=meta, image=sample.image, labels=np.full(sample.size_hw, best, np.uint8))


def mean_map(samples: Iterable[Sample]) -> Answer:
    """The most common class of each place of the picture."""
    shares = MeanMap(len(NAMES))
    for sample in samples:
        labels = annotation(sample, "labels")
        shares.add(labels[..., None] == np.arange(len(NAMES)), labels < len(NAMES))

    def answer(sample: Sample, meta: Meta) -> SegResult:
        labels: npt.NDArray[np.uint8] = shares.at(sample.size_hw).argmax(-1).astype(np.uint8)
        return SegResult(meta=meta, image=sample.image, labels=labels)

    return answer


YARDSTICK = Yardstick(
    shown={
        "miou_common": "high",
        "miou": "high",
        "macc": "high",
        "aacc": "high",
        "boundary_f": "high",
    },
    truth=truth,
    trivial={"majority class": majority_class, "mean map": mean_map},
)
