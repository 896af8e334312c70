"""Any task over any annotated pictures: metrics, best and worst pictures, trivial answers beside them.

report = evaluate(sapiens.load("seg"), open_data("parts/val", "seg"))
report.metrics["miou"]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sapiens.evaluation.baselines import trivial_answers
    from sapiens.evaluation.page import save_page
    from sapiens.evaluation.report import Failure, Report, Shown, save_json
    from sapiens.evaluation.run import evaluate

__all__ = ["Failure", "Report", "Shown", "evaluate", "save_json", "save_page", "trivial_answers"]

_HOMES = {
    "Failure": "report",
    "Report": "report",
    "Shown": "report",
    "evaluate": "run",
    "save_json": "report",
    "save_page": "page",
    "trivial_answers": "baselines",
}


def __getattr__(name: str) -> Any:
    """Public names load on first use: asking for the package must load neither torch nor OpenCV."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sapiens.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sapiens.evaluation.{_HOMES[name]}"), name)
