"""`sapiens doctor`: what is installed, what the machine has, which weights were found."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from sapiens.cli.console import put

PACKAGES = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "safetensors",
    "huggingface-hub",
    "typer",
    "rich",
    "transformers",
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Print versions, devices and the weights that were found."""
    report = {"versions": _versions(), "devices": _devices(), "weights": _weights()}
    if as_json:
        put(json.dumps(report, indent=2))
        return
    for heading, values in report.items():
        put(heading)
        for name, value in values.items():
            shown = value if not isinstance(value, list) else ("\n" + " " * 24).join(value) or "none"
            put(f"  {name:22}{shown}")


def _versions() -> dict[str, Any]:
    from sapiens._version import __version__

    found: dict[str, Any] = {"sapiens": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _devices() -> dict[str, Any]:
    import torch

    from sapiens.inference.devices import pick_device, pick_dtype

    auto = pick_device("auto")
    gpus = [_gpu(index) for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return {
        "processor": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads in use",
        "memory": _memory(),
        "cuda": gpus,
        "auto means": f"{auto}, {str(pick_dtype('auto', auto)).removeprefix('torch.')}",
    }


def _memory() -> str:
    if not hasattr(os, "sysconf"):  # Windows
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"


def _gpu(index: int) -> str:
    import torch

    properties = torch.cuda.get_device_properties(index)
    return f"cuda:{index} {properties.name}, {properties.total_memory / 2**30:.0f} GiB"


def _weights() -> dict[str, Any]:
    from sapiens.env import checkpoint_root, hub_cache, hub_endpoint, hub_offline
    from sapiens.weights import find_local
    from sapiens.weights.files import RELEASED, SUFFIXES

    root = checkpoint_root()
    files = sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES) if root.is_dir() else []
    usable = (find_local(task, size) for task, sizes in RELEASED.items() for size in sizes)
    cached = [path for path in usable if path is not None and path.is_relative_to(hub_cache())]
    return {
        "checkpoint root": f"{root}" + ("" if root.is_dir() else " (not there)"),
        "found": [f"{_relative(path, root)}  {_size(path)}" for path in files],
        "hub cache": f"{hub_cache()}",
        "found there": [f"{_relative(path, hub_cache())}  {_size(path)}" for path in cached],
        "hub": f"{hub_endpoint()}" + (" (offline: HF_HUB_OFFLINE is set)" if hub_offline() else ""),
    }


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e9:.2f} GB"


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
