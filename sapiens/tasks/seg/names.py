"""The 29 parts, and the older label sets in terms of them."""

from __future__ import annotations

from sapiens.tasks.names import Names
from sapiens.tasks.seg.classes import IGNORE_INDEX, LABEL_SETS, mapping_from
from sapiens.tasks.seg.classes import NAMES as PARTS


def _from(label_set: str) -> tuple[str | None, ...]:
    """One entry for each of the 256 labels a picture can hold; those beyond the set have no counterpart."""
    return tuple(None if target == IGNORE_INDEX else PARTS[target] for target in mapping_from(label_set).tolist())


NAMES: Names = {"labels": PARTS, **{label_set: _from(label_set) for label_set in LABEL_SETS}}
