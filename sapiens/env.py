"""Every environment variable that sapiens reads, each as a function: a value set later in the process still counts."""

from __future__ import annotations

import os
from pathlib import Path

_TRUE = {"1", "on", "yes", "true"}


def checkpoint_root() -> Path:
    """`SAPIENS_CHECKPOINT_ROOT`: the folder with `<task>/<file>` below it; default `~/sapiens2_host`."""
    return _folder("SAPIENS_CHECKPOINT_ROOT", Path.home() / "sapiens2_host")


def hub_endpoint() -> str:
    """`HF_ENDPOINT`: address of the Hub or of a mirror, without a slash at the end."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def hub_offline() -> bool:
    """`HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`): never use the network."""
    return _is_true("HF_HUB_OFFLINE") or _is_true("TRANSFORMERS_OFFLINE")


def hub_cache() -> Path:
    """`HF_HUB_CACHE`, else `hub` below `HF_HOME`, else the Hub's own default: where other programs keep downloads."""
    cache = _folder("XDG_CACHE_HOME", Path.home() / ".cache")
    return _folder("HF_HUB_CACHE", _folder("HF_HOME", cache / "huggingface") / "hub")


def no_color() -> bool:
    """`NO_COLOR`: no colours on the terminal (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def serve_token() -> str | None:
    """`SAPIENS_TOKEN`: what requests to `sapiens serve` must carry; kept out of the process list, unlike an option."""
    return os.environ.get("SAPIENS_TOKEN") or None


def share_cores() -> None:
    """Set `OMP_WAIT_POLICY`, unless it is set, so that torch's threads sleep while they wait, rather than spin.

    Where other work wants the cores too, spinning threads keep each other from them: a small network then takes ten
    times as long. Has to be called before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def process_rank() -> int:
    """`RANK`: number of this process among those that `accelerate launch` or `torchrun` started; 0 if it is alone."""
    return _number("RANK", 0)


def process_count() -> int:
    """`WORLD_SIZE`: how many processes they started."""
    return _number("WORLD_SIZE", 1)


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default


def _is_true(name: str) -> bool:
    return os.environ.get(name, "").lower() in _TRUE


def _folder(name: str, default: Path) -> Path:
    value = os.environ.get(name)
    return Path(os.path.expandvars(value)).expanduser() if value else default
