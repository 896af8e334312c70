"""Human-centric vision with the Sapiens2 models.

>>> import sapiens
>>> seg = sapiens.load("seg", size="0.4b")     # doctest: +SKIP
>>> seg("photo.jpg").draw().save("out.png")    # doctest: +SKIP

Names are loaded on first use: importing the package loads neither torch nor OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sapiens._version import __version__

if TYPE_CHECKING:
    from sapiens.errors import InputError, MissingDependencyError, NumericError, SapiensError, WeightsError
    from sapiens.inference.predictor import Predictor, load
    from sapiens.inference.results import load_result

_HOMES = {
    "load": "sapiens.inference.predictor",
    "Predictor": "sapiens.inference.predictor",
    "load_result": "sapiens.inference.results",
    "SapiensError": "sapiens.errors",
    "InputError": "sapiens.errors",
    "WeightsError": "sapiens.errors",
    "MissingDependencyError": "sapiens.errors",
    "NumericError": "sapiens.errors",
}

__all__ = [
    "InputError",
    "MissingDependencyError",
    "NumericError",
    "Predictor",
    "SapiensError",
    "WeightsError",
    "__version__",
    "load",
    "load_result",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sapiens' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
