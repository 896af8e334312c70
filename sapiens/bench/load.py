"""Loading a full-size checkpoint, beside reading its file and beside building with random weights first."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from sapiens.bench.table import report
from sapiens.errors import InputError
from sapiens.tasks import get_task
from sapiens.tasks.base import build_model
from sapiens.weights import load_model
from sapiens.weights.header import make_header

TASK = "pose"
BLOCK_BYTES = 1 << 24
STATES = ("cached", "from disk") if hasattr(os, "posix_fadvise") else ("cached",)


def run(repeats: int = 5, workdir: Path | None = None, size: str = "1b") -> dict[str, Any]:
    """Measure each case in fresh processes, interleaved, with the file in the system's cache and without.

    Args:
        repeats: processes per case and state of the cache.
        workdir: folder for the file (6 GB at 1b), which is kept there; default a temporary one.
        size: of the pose model.

    Returns:
        a report: median seconds; `peak / file`: memory above the start of the measurement, in sizes of the file.

    Raises:
        InputError: no space for the file.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = make_file(workdir or Path(scratch), size)
        size_bytes = path.stat().st_size
        fitting = [case for case in CASES if NEEDS.get(case, 0) * size_bytes < 0.8 * memory_of_the_machine()]
        runs: dict[str, list[dict[str, float]]] = {case: [] for case in fitting}
        for _ in range(repeats):
            for case, found in runs.items():
                found.append({"peak": 0.0})
                for state in STATES:
                    _prepare(path, state)
                    seconds, touched, peak = _in_process(case, path, size)
                    found[-1] |= {state: seconds, f"{state}, touched": touched, "peak": max(peak, found[-1]["peak"])}
    rows = [_row(case, found, runs["read the file"], size_bytes) for case, found in runs.items()]
    return report(
        f"load {TASK} at {size}, {size_bytes / 1e9:.2f} GB of float32, on the CPU, median of {repeats} processes",
        rows,
        [
            "seconds without imports; load maps the file, its pages come when first used: `touched` forces all of them",
            "x reading: touched, beside reading the file once into a small buffer, cached or not alike",
            "aims for load: at most 2 x reading and 1.2 x the file in memory",
            *(f"left out, as it does not fit into the memory: {case}" for case in CASES if case not in fitting),
        ],
    )


def _row(case: str, found: list[dict[str, float]], reading: list[dict[str, float]], size_bytes: int) -> dict[str, Any]:
    row: dict[str, Any] = {"case": case}
    for state in STATES:
        base = statistics.median(r[state] for r in reading)
        ready, touched = (statistics.median(r[key] for r in found) for key in (state, f"{state}, touched"))
        row |= {
            f"s, {state}": round(ready, 3),
            f"s touched, {state}": round(touched, 3),
            f"x reading, {state}": round(touched / base, 2),
        }
    peak = max(r["peak"] for r in found)
    return row | {"peak GB": round(peak / 1e9, 2), "peak / file": round(peak / size_bytes, 2)}


def make_file(folder: Path, size: str) -> Path:
    """A checkpoint with the names and shapes of the released one and repeatable numbers; made once."""
    with torch.device("meta"):
        tensors = build_model(get_task(TASK), size).state_dict()
    # As safetensors' own writer does: narrow dtypes last, so that every tensor may be used where it lies.
    tensors = dict(sorted(tensors.items(), key=lambda entry: (-entry[1].dtype.itemsize, entry[0])))
    header = make_header(tensors)
    total = len(header) + sum(t.numel() * t.dtype.itemsize for t in tensors.values())
    path = folder / f"bench_{size}_{TASK}.safetensors"
    if path.exists() and path.stat().st_size == total:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < total:
        raise InputError(
            f"{folder}: {total / 1e9:.1f} GB are needed for the file", "choose another folder with --workdir"
        )
    block = torch.empty(BLOCK_BYTES // 4).normal_(0, 0.02, generator=torch.Generator().manual_seed(0))
    data = block.numpy().tobytes()
    with path.open("wb") as file:
        file.write(header)
        for count in range(len(header), total, BLOCK_BYTES):
            file.write(data[: total - count])
        file.flush()
        os.fsync(file.fileno())
    return path


def _prepare(path: Path, state: str) -> None:
    """Bring the file into the system's cache, or out of it."""
    if state == "cached":
        _read(path)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _in_process(case: str, path: Path, size: str) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "sapiens.bench.load", case, str(path), size]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, touched, peak = json.loads(done.stdout)
    return seconds, touched, peak


def _read(path: Path) -> None:
    buffer = bytearray(BLOCK_BYTES)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _load(path: Path, size: str, dtype: torch.dtype = torch.float32, *, copy: bool = False) -> nn.Module:
    with torch.device("meta"):
        model = build_model(get_task(TASK), size)
    load_model(model, path, task=TASK, size=size, dtype=dtype, copy=copy)
    return model


def _random_first(path: Path, size: str) -> nn.Module:
    model = build_model(get_task(TASK), size)
    model.load_state_dict(load_file(path))
    return model


CASES: dict[str, Callable[[Path, str], nn.Module | None]] = {
    "read the file": lambda path, size: _read(path),
    "load": _load,
    "load with copy=True": lambda path, size: _load(path, size, copy=True),
    "load in bfloat16": lambda path, size: _load(path, size, torch.bfloat16),
    "random weights first": _random_first,
}


NEEDS = {"load with copy=True": 1.0, "load in bfloat16": 0.6, "random weights first": 2.0}
"""Memory a case takes for good, in sizes of the file; what is only mapped can be dropped."""


def memory_of_the_machine() -> float:
    """Bytes, as far as the system says."""
    known = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known else float("inf")


def _touch(model: nn.Module) -> Iterator[float]:
    """Use one number of every page of every parameter."""
    for parameter in model.parameters():
        yield float(parameter.detach().flatten()[::1024].sum())


def peak_memory() -> int:
    """Most bytes this process has held since it began, or since `_reset_peak`."""
    return _memory()[1]


def _memory() -> tuple[int, int]:
    """Bytes in use now, and the peak since `_reset_peak`."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return peak, peak
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    now, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return now, peak


def _reset_peak() -> None:
    """Forget the peak of the imports, where the system can."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def _measure(case: str, path: Path, size: str) -> tuple[float, float, int]:
    with torch.device("meta"):
        build_model(get_task(TASK), "nano")
    _reset_peak()
    before, _ = _memory()
    start = time.perf_counter()
    model = CASES[case](path, size)
    seconds = time.perf_counter() - start
    if model is not None:
        sum(_touch(model))
    touched = time.perf_counter() - start
    return seconds, touched, _memory()[1] - before


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
