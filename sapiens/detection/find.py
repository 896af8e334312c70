"""Detectors by name: where their weights are looked for, and which one is the default."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import torch

from sapiens import env
from sapiens.detection.boxes import Detector
from sapiens.detection.detr_detector import WEIGHT_FILES, DetrDetector
from sapiens.detection.transformers_detectors import FILES, TransformersDetector, read_json
from sapiens.detection.zoo import BEST, DETECTORS, DETR, RELEASED
from sapiens.errors import UnknownNameError, WeightsError
from sapiens.weights import hub_reachable

Compat = Literal["default", "reference"]


def find_detector(
    name: str | None = None, device: torch.device | str = "cpu", *, compat: Compat = "default"
) -> Detector:
    """Load a person detector.

    Args:
        name: a name in `DETECTORS`, a folder or weights file, or a repository "owner/name" on the Hub; None takes
            `default_detector_name(compat)`.
        device: where it runs.
        compat: "reference" makes the detector of the released pipeline the default.

    Raises:
        UnknownNameError: no such name, file or folder.
        WeightsError: no usable weights; the message says which files to put where.
        MissingDependencyError: the detector needs `transformers`, which is not installed.
    """
    name = name or default_detector_name(compat)
    if name in DETECTORS:
        return _load(download(name), device, name)
    path = Path(name).expanduser()
    if path.exists():
        return _load(path, device, path.name)
    if _is_repo(name):
        return _load(download(name), device, name)
    raise UnknownNameError("detector", name, DETECTORS)


def default_detector_name(compat: Compat = "default") -> str:
    """The detector to take when none is asked for.

    "reference": the released one. Otherwise the most accurate one if it is ready to use, else the released one if that
    is, else whichever of the two can run once its weights are downloaded.
    """
    if compat == "reference":
        return RELEASED
    can_run_best = importlib.util.find_spec("transformers") is not None
    if can_run_best and locate(BEST):
        return BEST
    return BEST if can_run_best and not locate(RELEASED) else RELEASED


def local_folder(name: str) -> Path:
    """Where a detector's files are looked for first: `$SAPIENS_CHECKPOINT_ROOT/detector/<repository name>`."""
    return env.checkpoint_root() / "detector" / _repo(name).split("/")[1]


def locate(name: str) -> Path | None:
    """The folder on this machine that holds a detector's files: below the checkpoint root, else in the Hub cache.

    Args:
        name: a name in `DETECTORS`, or a repository "owner/name".
    """
    from huggingface_hub import try_to_load_from_cache

    folder, repo, files = local_folder(name), _repo(name), _files(name)
    present = [file for file in WEIGHT_FILES if (folder / file).is_file()]
    if (repo == DETR.repo and present) or all((folder / file).is_file() for file in files):
        return folder
    cached = [try_to_load_from_cache(repo, file, cache_dir=env.hub_cache()) for file in files]
    paths = [Path(file) for file in cached if isinstance(file, str)]
    return paths[0].parent if len(paths) == len(files) else None


def download(name: str) -> Path:
    """Put a detector's files into `local_folder`, unless they are on this machine already.

    Args:
        name: a name in `DETECTORS`, or a repository "owner/name".

    Returns:
        folder that holds them.

    Raises:
        UnknownNameError: no such name.
        WeightsError: no network, or not there; the message says which files to put where, and what works without.
    """
    if name not in DETECTORS and not _is_repo(name):
        raise UnknownNameError("detector", name, DETECTORS)
    found = locate(name)
    if found is not None:
        return found
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    folder, endpoint = local_folder(name), env.hub_endpoint()
    if env.hub_offline():
        raise _not_found(name, "HF_HUB_OFFLINE is set")
    # The Hub's client tries for half a minute, in many lines, before it says the same.
    if not hub_reachable():
        raise _not_found(name, f"{endpoint} cannot be reached")
    try:
        for file in _files(name):
            hf_hub_download(_repo(name), file, local_dir=folder, endpoint=endpoint)
    except (OSError, EntryNotFoundError) as error:
        raise _not_found(name, str(error).strip().splitlines()[0]) from error
    return folder


def _not_found(name: str, reason: str) -> WeightsError:
    repo, files, folder = _repo(name), " and ".join(_files(name)), local_folder(name)
    return WeightsError(
        f"person detector {name}: no weights in {folder} or in the Hub cache, and no download ({reason})",
        f"put {files} of {env.hub_endpoint()}/{repo} into that folder, or, where there is a network, run: "
        f"sapiens download detector {name}. Without a detector: give the boxes (boxes=..., --boxes FILE), or take "
        "each picture as one person (whole_image=True, --whole-image)",
    )


def _is_repo(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "~", "/")) and not name.endswith("/")


def _repo(name: str) -> str:
    return DETECTORS[name].repo if name in DETECTORS else name


def _files(name: str) -> tuple[str, ...]:
    return next((known.files for known in DETECTORS.values() if known.repo == _repo(name)), FILES)


def _load(path: Path, device: torch.device | str, name: str) -> Detector:
    config = path / "config.json"
    kind = read_json(config).get("model_type") if config.is_file() else "detr"
    if kind == "detr":
        return DetrDetector.load(path, device)
    return TransformersDetector.load(path, device, name=name)
