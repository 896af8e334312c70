"""The folder of a run, its log, and what goes into a line of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sapiens.config import Recipe, differences
from sapiens.errors import InputError
from sapiens.imaging.write import write_bytes


class Window:
    """Means of the logged numbers, and the pace, since the last log line."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.sums: dict[str, float] = {}
        self.finite = self.count = 0
        self.seconds = 0.0
        self.restart()

    def restart(self) -> None:
        """Leave out the time since the last update: it went into something else."""
        self.start = time.perf_counter()

    def add(self, terms: Mapping[str, float]) -> None:
        """One update; no terms: it was skipped."""
        now = time.perf_counter()
        self.seconds += now - self.start
        self.start = now
        self.count += 1
        self.finite += bool(terms)
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Over the updates that were really counted."""
        return {name: value / self.finite for name, value in self.sums.items()}

    def pace(self, update: int, recipe: Recipe) -> dict[str, float]:
        """Seconds per update, seconds left, and the peak memory of this process in 10^6 bytes."""
        step = self.seconds / max(self.count, 1)
        return {"step_s": step, "eta_s": step * (recipe.iterations - update), **peak_memory()}


def peak_memory() -> dict[str, float]:
    """The most memory this process has had so far, in 10^6 bytes: "host_mb", and "gpu_mb" where there is a GPU.

    Windows does not keep this number.
    """
    if sys.platform == "win32":
        return {}
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = {"host_mb": used * (1 if sys.platform == "darwin" else 1024) / 1e6}
    if torch.cuda.is_available():
        peak["gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return peak


def check_folder(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Raise unless a run may be written to this folder.

    Raises:
        InputError: it holds a run and is not to be resumed, or was started with other settings.
    """
    stored = folder / "recipe.json"
    if not stored.exists():
        return
    if not resume:
        raise InputError(f"{folder}: holds a run", "resume it, or choose another folder")
    before = json.loads(stored.read_text(encoding="utf-8"))
    if changed := differences_to(recipe, before):
        raise InputError(f"{folder}: was started with other settings: {', '.join(changed)}", "start a new run")


def differences_to(recipe: Recipe, stored: Mapping[str, Any]) -> list[str]:
    """Settings in which a recipe differs from a stored one, leaving out those that change no weight."""
    harmless = {"workers", "log_every", "save_every", "validate_every", "pictures_every", "keep"}
    return [name for name in differences(recipe, stored) if name not in harmless]


def trim_log(path: Path, update: int) -> None:
    """Drop what was logged after an update: a resumed run logs it again."""
    if not path.exists():
        return
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    kept = [line for line in lines if json.loads(line)["update"] <= update]
    write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
