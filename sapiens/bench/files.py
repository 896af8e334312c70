"""Pictures from disk to results on disk, beside the network alone: how much of its time the network is kept waiting."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sapiens.bench.table import report
from sapiens.inference.engine import run as run_engine
from sapiens.inference.exports import Writer
from sapiens.inference.predictor import Predictor, load
from sapiens.inference.sources import find_sources
from sapiens.synth import render
from sapiens.tasks import TASKS, get_task

SIZE_HW = (1024, 768)
PER_REPEAT = 32
DISTINCT = 8
"""Pictures rendered; files repeat them."""


def run(repeats: int = 3, size: str = "nano", batch: int | None = None) -> dict[str, Any]:
    """Each dense task over JPEG files of 1024x768, all results written as pictures.

    Args:
        repeats: `PER_REPEAT` files for each.
        size: of the networks; their weights are untrained but for nano.
        batch: network inputs a pass; default that of `sapiens.load`.

    Returns:
        a report: pictures a second both ways; share: of the network's own rate.
    """
    count = PER_REPEAT * repeats
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "in"
        _write_pictures(folder, count)
        for task in (name for name in TASKS if name != "pose"):
            weights = None if size == "nano" else "untrained"
            predictor = load(task, size, weights=weights, batch_size=batch)
            alone = _network_rate(predictor, count)
            whole = count / _through_files(predictor, folder, Path(scratch) / task)
            rows.append({
                "task": task,
                "network alone, pictures/s": round(alone, 2),
                "files to files, pictures/s": round(whole, 2),
                "share": round(whole / alone, 3),
            })  # fmt: skip
    title = f"{count} JPEG files of {SIZE_HW[1]}x{SIZE_HW[0]} to pictures, {size}"
    return report(title, rows, ["on a CPU the network shares its cores with the reading and writing"])


def _write_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    images = render(900_301, DISTINCT, SIZE_HW, people=(1, 1)).image.permute(0, 2, 3, 1).numpy()
    for index in range(count):
        Image.fromarray(images[index % DISTINCT]).save(folder / f"{index:04d}.jpg", quality=92)


def _network_rate(predictor: Predictor, count: int) -> float:
    """Pictures a second of the network's passes, inputs in memory."""
    height, width = predictor.setup.input_hw
    image = torch.zeros(predictor.batch_size, 3, height, width, device=predictor.device, dtype=predictor.dtype)
    passes = max(2, count // predictor.batch_size)
    with torch.inference_mode():
        predictor.task.forward(predictor.model, image, predictor.setup)
        _wait(predictor)
        start = time.perf_counter()
        for _ in range(passes):
            predictor.task.forward(predictor.model, image, predictor.setup)
        _wait(predictor)
    return passes * predictor.batch_size / (time.perf_counter() - start)


def _wait(predictor: Predictor) -> None:
    if predictor.device.type == "cuda":
        torch.cuda.synchronize(predictor.device)


def _through_files(predictor: Predictor, folder: Path, out: Path) -> float:
    """Seconds for all files, through the engine that `sapiens predict` uses."""
    from sapiens.inference.naming import output_stems

    found = find_sources([str(folder)])
    writer = Writer(out, output_stems(found.sources, found.bases), [get_task(predictor.task.name)], ["picture"])
    start = time.perf_counter()
    with closing(run_engine(found.sources, [predictor], write=writer)) as items:
        for item in items:
            if item.error is not None:
                raise item.error
    return time.perf_counter() - start
