"""Find, download, check and load checkpoints.

Names are loaded on first use: listing what is released needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sapiens.weights.filling import untrained
    from sapiens.weights.hub import download
    from sapiens.weights.identity import Identity, identify
    from sapiens.weights.load import LoadedInfo, load_model
    from sapiens.weights.lookup import find_local, locate
    from sapiens.weights.remote import hub_reachable

_HOMES = {
    "download": "hub",
    "Identity": "identity",
    "identify": "identity",
    "LoadedInfo": "load",
    "load_model": "load",
    "NANO_FILE": "lookup",
    "available": "lookup",
    "find_local": "lookup",
    "hub_reachable": "remote",
    "locate": "lookup",
    "untrained": "filling",
}

__all__ = [
    "NANO_FILE",
    "Identity",
    "LoadedInfo",
    "available",
    "download",
    "find_local",
    "hub_reachable",
    "identify",
    "load_model",
    "locate",
    "untrained",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sapiens.weights' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sapiens.weights.{_HOMES[name]}"), name)
