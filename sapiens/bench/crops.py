"""People small in a large picture: looked at as a whole, with a crop per person, and in tiles; and flicker in clips."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sapiens.bench.small_people import small_people
from sapiens.bench.table import report
from sapiens.detection import Detections
from sapiens.imaging.sample import Sample
from sapiens.inference.predictor import Predictor, load
from sapiens.tasks.learning import get_learning

SEED = 900_101
SIZE_HW = (768, 1024)
PICTURES = 4
"""For each repetition, with 1, 2, 3 and 4 people."""
TALLEST = 0.55
"""Of the picture's height: pictures with larger people are left out."""
NUMBERS = {
    "seg": {"miou_common": "mean IoU", "aacc": "pixels right"},
    "normal": {"mean_deg": "degrees"},
    "pointmap": {
        "l2_m": "distance, m",
        "l2_aligned_m": "distance after one scale, m",
        "normals/mean_deg": "relief, deg",
    },
    "matting": {"alpha_mae": "alpha MAE", "grad": "gradient error"},
    "albedo": {"mae": "MAE"},
}
WAYS = ("whole", "per person", "true boxes", "tiles")
FRAMES = 12
NOISE = 2.0
"""Standard deviation of the grain of a still clip, in grey levels."""
BOX_NOISE = 0.02
"""Likewise of the edges of its boxes, of a person's height: about that of a detector."""


def run(repeats: int = 5) -> dict[str, Any]:
    """Errors of nano on procedural people who are small in the picture, and change from frame to frame of a still one.

    Returns:
        a report; "per person" finds people by body parts, "true boxes" is told where they are.
    """
    samples = pictures(PICTURES * repeats)
    rows = [row for task in NUMBERS for row in _rows(task, samples)]
    rows += [flicker(task) for task in NUMBERS]
    height, width = SIZE_HW
    title = (
        f"nano, {len(samples)} pictures of {width}x{height} with 1 to 4 people, the tallest below {TALLEST:.0%} of it"
    )
    remark = (
        f"flicker: {FRAMES} frames of one picture with grain of {NOISE:g} levels, on the people; its true boxes have "
        f"noise of {BOX_NOISE:.0%} of a person's height"
    )
    return report(title, rows, [remark])


def pictures(count: int) -> list[Sample]:
    """Pictures with 1, 2, 3, 4, 1, ... people, none of them tall."""
    return list(itertools.islice(_small(), count))


def _small() -> Iterator[Sample]:
    index = taken = 0
    while True:
        sample = small_people(SEED, index, SIZE_HW, people=1 + taken % PICTURES)
        index += 1
        boxes = sample.extra["boxes_xyxy"]
        if len(boxes) and (boxes[:, 3] - boxes[:, 1]).max() < TALLEST * SIZE_HW[0]:
            taken += 1
            yield sample


def _rows(task: str, samples: list[Sample]) -> list[dict[str, Any]]:
    """A row for each number of a task, and one for the time."""
    predictor = load(task, "nano", device="cpu", batch_size=8)
    numbers: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    for way in WAYS:
        metrics = get_learning(task).metrics()
        start = time.perf_counter()
        for sample in samples:
            metrics.update(_predict(predictor, way, sample), sample)
        seconds[way] = (time.perf_counter() - start) / len(samples)
        numbers[way] = metrics.compute()
    rows = [
        {"task": task, "number": title} | {way: round(numbers[way][name], 4) for way in WAYS}
        for name, title in NUMBERS[task].items()
    ]
    return [*rows, {"task": task, "number": "s a picture"} | {way: round(seconds[way], 2) for way in WAYS}]


def _predict(predictor: Predictor, way: str, sample: Sample) -> Any:
    if way == "true boxes":
        return predictor(sample.image, sample.extra["boxes_xyxy"], detail="people")
    names: dict[str, Any] = {"whole": "whole", "per person": "people", "tiles": "tiles"}
    return predictor(sample.image, detail=names[way])


def flicker(task: str) -> dict[str, Any]:
    """Mean absolute change between successive frames of a still picture with grain, on its people.

    Of labels the share that changes. In a clip crops are held, as always; "anew" they are cut for every frame alone.
    """
    sample = pictures(1)[0]
    rng = np.random.default_rng(0)
    grain = [rng.normal(0, NOISE, sample.image.shape) for _ in range(FRAMES)]
    clip = [(sample.image + g).clip(0, 255).round().astype(np.uint8) for g in grain]
    found, told = (load(task, "nano", device="cpu", batch_size=8, detector=d) for d in (None, _Trembling(sample)))
    results = {
        "whole": found(clip),
        "per person": list(found.stream(clip, sequence=True, detail="people")),
        "true boxes": list(told.stream(clip, sequence=True, detail="people")),
        "tiles": found(clip, detail="tiles"),
        "per person, crops anew": found(clip, detail="people"),
        "true boxes, crops anew": told(clip, detail="people"),
    }
    mask = sample.fields["mask"]
    return {"task": task, "number": "flicker"} | {way: _change(results[way], mask) for way in results}


class _Trembling:
    """A detector that knows the truth and adds noise to it, which is other every time."""

    name = "true boxes with noise"

    def __init__(self, sample: Sample) -> None:
        self._boxes, self._rng = sample.extra["boxes_xyxy"], np.random.default_rng(1)

    def __call__(self, images: Sequence[Any]) -> list[Detections]:
        heights = (self._boxes[:, 3] - self._boxes[:, 1])[:, None]
        return [
            Detections(
                (self._boxes + self._rng.normal(0, BOX_NOISE, self._boxes.shape) * heights).astype(np.float32),
                np.ones(len(self._boxes), np.float32),
            )
            for _ in images
        ]


def _change(results: list[Any], mask: Any) -> float:
    name = next(n for n in ("labels", "normals", "points", "alpha", "albedo") if n in results[0].arrays())
    arrays = [result.arrays()[name][mask] for result in results]
    steps = [b != a if name == "labels" else np.abs(b - a) for a, b in itertools.pairwise(arrays)]
    return round(float(np.mean([step.mean() for step in steps])), 5)
