"""What each option changes in the tasks' own units, and what pose gains from its mirrored second pass: nano, trained.

Full-size networks are compared on untrained weights by `sapiens bench TASK`; only trained ones have pixels, degrees and
labels to lose. Pictures are the first of the held-out set of one person.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.bench.table import report
from sapiens.cpu.processor import computes_in
from sapiens.evaluation.heldout import HELD_OUT
from sapiens.imaging.sample import Sample
from sapiens.inference.predictor import Predictor, load
from sapiens.tasks import TASKS

PICTURES = 8
"""For each repetition."""
NEAR = 0.05
"""Of the longer side of a person's box: a point this near to the true one counts as found."""
Arrays = dict[str, npt.NDArray[Any]]


def run(repeats: int = 3) -> dict[str, Any]:
    """Compare each dtype with float32 on `8 * repeats` pictures, and pose with and without the mirrored pass.

    Returns:
        a report; changes are means over pictures, for points and colours on the person.
    """
    samples = [HELD_OUT[0].pictures()[index] for index in range(PICTURES * repeats)]
    dtypes = ["int8", *(name for name in ("bfloat16", "float16") if computes_in(name))]
    rows = []
    for task in TASKS:
        expected = _predict(load(task, "nano", dtype="float32"), samples)[0]
        row: dict[str, Any] = {"task": task, "unit": CHANGES[task][0]}
        for dtype in dtypes:
            got = _predict(load(task, "nano", dtype=dtype), samples)[0]
            row[dtype] = float(np.mean([CHANGES[task][1](a, b) for a, b in zip(got, expected, strict=True)]))
        rows.append(row)
    return report(
        f"change from float32 by dtype, nano, {len(samples)} held-out pictures of one person", rows, [_flip(samples)]
    )


def _predict(predictor: Predictor, samples: Sequence[Sample]) -> tuple[list[Arrays], float]:
    """Arrays of every picture's result, and seconds a picture (median)."""
    found, seconds = [], []
    predictor(samples[0].image, **_extra(predictor, samples[0]))  # the first pass allocates
    for sample in samples:
        start = time.perf_counter()
        arrays = predictor(sample.image, **_extra(predictor, sample)).arrays()
        seconds.append(time.perf_counter() - start)
        found.append(arrays | {"person": sample.fields["mask"]})
    return found, statistics.median(seconds)


def _extra(predictor: Predictor, sample: Sample) -> dict[str, Any]:
    return {"boxes": sample.extra["box_xyxy"][None]} if predictor.task.top_down else {}


def _flip(samples: Sequence[Sample]) -> str:
    """Gain and cost of the mirrored pass, in words."""
    shares, times = [], []
    for flip in (False, True):
        found, seconds = _predict(load("pose", "nano", flip=flip), samples)
        near = [_near(arrays, sample) for arrays, sample in zip(found, samples, strict=True)]
        shares.append(100 * float(np.mean(np.concatenate(near))))
        times.append(seconds)
    return (
        f"pose, mirrored second pass (flip): {shares[0]:.2f} % of the points within 5 % of the box without it, "
        f"{shares[1]:.2f} % with it, at {times[1] / times[0]:.2f} times the time a picture (batch of 1)"
    )


def _near(arrays: Arrays, sample: Sample) -> npt.NDArray[np.bool_]:
    true, box = sample.fields["keypoints"], sample.extra["box_xyxy"]
    distance = np.linalg.norm(arrays["keypoints"][0, :, :2] - true[:, :2], axis=-1)
    near: npt.NDArray[np.bool_] = (distance < NEAR * max(box[2] - box[0], box[3] - box[1]))[true[:, 2] > 0]
    return near


def _pixels(a: Arrays, b: Arrays) -> float:
    return float(np.linalg.norm(a["keypoints"][..., :2] - b["keypoints"][..., :2], axis=-1).mean())


def _labels(a: Arrays, b: Arrays) -> float:
    return 100 * float((a["labels"] != b["labels"]).mean())


def _degrees(a: Arrays, b: Arrays) -> float:
    cosine = (a["normals"] * b["normals"]).sum(-1).clip(-1, 1)
    return float(np.degrees(np.arccos(cosine))[a["person"]].mean())


def _depth(a: Arrays, b: Arrays) -> float:
    return 100 * float((np.abs(a["points"] - b["points"])[..., 2] / np.abs(b["points"][..., 2]))[a["person"]].mean())


def _mean(name: str) -> Callable[[Arrays, Arrays], float]:
    return lambda a, b: float(np.abs(a[name] - b[name])[a["person"]].mean())


CHANGES: dict[str, tuple[str, Callable[[Arrays, Arrays], float]]] = {
    "pose": ("pixels", _pixels),
    "seg": ("% of labels", _labels),
    "normal": ("degrees", _degrees),
    "pointmap": ("% of depth", _depth),
    "matting": ("alpha", _mean("alpha")),
    "albedo": ("0..1", _mean("albedo")),
}
