"""People small in a large picture: looked at as a whole, with a crop per person, and in tiles; and flicker in clips."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from sapiens.bench.small_people import small_people
from sapiens.bench.table import report
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
    return report(
        title, rows, [f"flicker: {FRAMES} frames of one picture with grain of {NOISE:g} levels, on the people"]
    )


def pictures(count: int) -> list[Sample]:
    """Pictures with 1, 2, 3, 4, 1, ... people, none of them tall."""
    return [sample for sample, _ in zip(_small(), range(count), strict=False)]


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

    Of labels the share that changes. "per person" holds its crops through the clip, as always; "anew" does not.
    """
    sample = pictures(1)[0]
    rng = np.random.default_rng(0)
    grain = [rng.normal(0, NOISE, sample.image.shape) for _ in range(FRAMES)]
    clip = [(sample.image + g).clip(0, 255).round().astype(np.uint8) for g in grain]
    predictor = load(task, "nano", device="cpu", batch_size=8)
    results = {
        "whole": predictor(clip),
        "per person": list(predictor.stream(clip, sequence=True, detail="people")),
        "per person, crops anew": predictor(clip, detail="people"),
        "tiles": predictor(clip, detail="tiles"),
    }
    mask = sample.fields["mask"]
    return {"task": task, "number": "flicker"} | {way: _change(found, mask) for way, found in results.items()}


def _change(results: list[Any], mask: Any) -> float:
    name = next(n for n in ("labels", "normals", "points", "alpha", "albedo") if n in results[0].arrays())
    arrays = [result.arrays()[name][mask] for result in results]
    steps = [b != a if name == "labels" else np.abs(b - a) for a, b in itertools.pairwise(arrays)]
    return round(float(np.mean([step.mean() for step in steps])), 5)
