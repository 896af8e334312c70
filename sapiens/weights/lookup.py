"""Which file holds the weights: explicit path, checkpoint root, Hub cache, the package (nano), download."""

from __future__ import annotations

import difflib
from pathlib import Path

from sapiens import env
from sapiens.backbones.sizes import get_size
from sapiens.errors import WeightsError
from sapiens.weights.files import RELEASED, SUFFIXES, download_command, file_name, file_stem, repo_id
from sapiens.weights.hub import download, target_path
from sapiens.weights.progress import Progress
from sapiens.weights.remote import hub_reachable

_FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")


def locate(task: str, size: str, weights: str | Path | None = None, *, progress: Progress | None = None) -> Path:
    """Find the checkpoint of a task at a size, and download it if need be.

    Args:
        task: a task name, or "pretrain" for the bare backbone.
        size: e.g. "0.4b".
        weights: a file, or a folder with the released file (also below `<task>/`) or in the transformers layout
            (`model.safetensors` and `config.json`); then nothing else is looked at.
        progress: see `sapiens.weights.download`.

    Raises:
        WeightsError: nothing there; says which file to put where, and the command that gets it.
    """
    size = get_size(size).name
    if weights is not None:
        return _explicit(Path(weights).expanduser(), task, size)
    found = find_local(task, size)
    if found is not None:
        return found
    wanted = target_path(task, size)
    if repo_id(task, size) is None:
        known = ", ".join(RELEASED.get(task, ())) or "no size"
        raise WeightsError(
            f"no {task} weights at {size}: {wanted} does not exist, and none are released (for {task}: {known})",
            "pass weights=PATH to a file of your own, or weights='untrained' to try the machinery",
        )
    if env.hub_offline():
        raise WeightsError(
            f"no {task} weights at {size}: neither {wanted} nor the Hub cache {env.hub_cache()} has them, and "
            "HF_HUB_OFFLINE forbids the network",
            f"where there is a network: {download_command(task, size)}, then copy the file to {wanted}; "
            "meanwhile weights='untrained' tries the machinery",
        )
    return download(task, size, progress=progress)


NANO_FILE = Path(__file__).parents[1] / "assets" / "sapiens2_nano.safetensors"
"""The embedded network: one backbone with the heads of all tasks."""


def available(task: str, size: str) -> bool:
    """Whether weights of a released or own size are on this machine, or could be fetched now."""
    if find_local(task, size) is not None:
        return True
    return repo_id(task, size) is not None and not env.hub_offline() and hub_reachable()


def find_local(task: str, size: str) -> Path | None:
    """The checkpoint on this machine: below the checkpoint root, in the Hub cache, or in the package; else None."""
    folder = env.checkpoint_root() / task
    for suffix in SUFFIXES:
        path = folder / f"{file_stem(task, size)}{suffix}"
        if path.exists():
            return path
    if size == "nano" and task != "pretrain" and NANO_FILE.exists():
        return NANO_FILE
    return _in_hub_cache(task, size)


def _in_hub_cache(task: str, size: str) -> Path | None:
    repo = repo_id(task, size)
    if repo is None:
        return None
    folder = env.hub_cache() / f"models--{repo.replace('/', '--')}"
    branch = folder / "refs" / "main"
    if not branch.exists():
        return None
    snapshot = folder / "snapshots" / branch.read_text().strip()
    # transformers fetches its copy of the same tensors under the second name.
    paths = (snapshot / name for name in (file_name(task, size), "model.safetensors"))
    return next((path for path in paths if path.exists()), None)


def _explicit(path: Path, task: str, size: str) -> Path:
    if path.is_dir():
        return _in_folder(path, task, size)
    if not path.exists():
        near = difflib.get_close_matches(path.name, _checkpoints(path.parent), n=1)
        hint = (
            f"did you mean {path.parent / near[0]}?" if near else f"expected a {', '.join(SUFFIXES)} file or a folder"
        )
        raise WeightsError(f"{path}: no such file", hint)
    return path


def _in_folder(folder: Path, task: str, size: str) -> Path:
    name = file_name(task, size)
    paths = [folder / name, folder / task / name, *(folder / other for other in _FOLDER_FILES)]
    found = next((path for path in paths if path.exists()), None)
    if found is not None:
        return found
    if any(folder.glob("*.index.json")):
        raise WeightsError(
            f"{folder}: the weights are split over several files, which is not supported",
            "save them as one: model.save_pretrained(folder, max_shard_size='100GB')",
        )
    inside = ", ".join(_checkpoints(folder)) or "no checkpoint"
    raise WeightsError(f"{folder}: neither {name} nor model.safetensors is in it; there is {inside}")


def _checkpoints(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix in SUFFIXES) if folder.is_dir() else []
