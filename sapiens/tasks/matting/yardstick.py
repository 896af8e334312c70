"""What predicted mattes are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta
from sapiens.tasks.matting.result import MattingResult
from sapiens.tasks.measuring import annotation
from sapiens.tasks.yardstick import Answer, MeanMap, Yardstick


def truth(sample: Sample, meta: Meta) -> MattingResult:
    """The matte; without foreground colours, those of the picture."""
    alpha, foreground = annotation(sample, "alpha"), sample.fields.get("foreground")
    if foreground is None:
        return _of_picture(alpha, sample, meta)
    return MattingResult(
        meta=meta, image=sample.image, alpha=alpha.astype(np.float32), foreground=foreground.astype(np.float32)
    )


def _of_picture(alpha: npt.NDArray[np.floating], sample: Sample, meta: Meta) -> MattingResult:
    matte = MattingResult(meta=meta, image=sample.image, alpha=np.clip(alpha, 0, 1).astype(np.float32))
    return matte.with_picture_colours()


def _mean(samples: Iterable[Sample]) -> MeanMap:
    mean = MeanMap(1)
    for sample in samples:
        mean.add(annotation(sample, "alpha")[..., None])
    return mean


def mean_alpha(samples: Iterable[Sample]) -> Answer:
    """The mean alpha, everywhere, with the picture's colours."""
    alpha = float(_mean(samples).overall[0])
    return lambda sample, meta: _of_picture(np.full(sample.size_hw, alpha, np.float32), sample, meta)


def mean_map(samples: Iterable[Sample]) -> Answer:
    """The mean alpha of each place of the picture, with the picture's colours."""
    mean = _mean(samples)
    return lambda sample, meta: _of_picture(mean.at(sample.size_hw)[..., 0], sample, meta)


YARDSTICK = Yardstick(
    shown={
        "alpha_mae": "low",
        "alpha_mse": "low",
        "sad": "low",
        "grad": "low",
        "conn": "low",
        "foreground_mae": "low",
    },
    truth=truth,
    trivial={"mean alpha": mean_alpha, "mean map": mean_map},
)
