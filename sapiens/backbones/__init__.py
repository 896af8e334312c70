"""Backbones: Sapiens2, and generation 1; every size by name (`sizes`), its parameters and work (`counts`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sapiens.backbones.standalone.sapiens import Sapiens
    from sapiens.backbones.standalone.sapiens2 import Sapiens2

_HOMES = {
    "Sapiens": "sapiens.backbones.standalone.sapiens",
    "Sapiens2": "sapiens.backbones.standalone.sapiens2",
}

__all__ = ["Sapiens", "Sapiens2"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
