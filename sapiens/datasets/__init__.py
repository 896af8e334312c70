"""Annotated pictures to learn from and to be measured on: readers of files, mixtures, and procedural people.

samples = open_data("coco/annotations/person_keypoints_train2017.json", "pose")
report = check_data("synth:seed=1,count=100", "seg")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sapiens.datasets.check import DataReport, check_data, validate
    from sapiens.datasets.opening import open_data
    from sapiens.datasets.reader import Problem, Reader
    from sapiens.datasets.shard_writer import write_shards

__all__ = ["DataReport", "Problem", "Reader", "check_data", "open_data", "validate", "write_shards"]

_HOMES = {
    "DataReport": "check",
    "Problem": "reader",
    "Reader": "reader",
    "check_data": "check",
    "open_data": "opening",
    "validate": "check",
    "write_shards": "shard_writer",
}


def __getattr__(name: str) -> Any:
    """Public names load on first use: asking for the package must not load OpenCV."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sapiens.datasets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sapiens.datasets.{_HOMES[name]}"), name)
