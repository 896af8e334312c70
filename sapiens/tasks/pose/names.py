"""The 308 points, and the orders of COCO, COCO-WholeBody and the released evaluation files in terms of them."""

from __future__ import annotations

from sapiens.tasks.names import Names
from sapiens.tasks.pose.keypoints import NAMES as NAMES308
from sapiens.tasks.pose.keypoints import PARTS
from sapiens.tasks.pose.sets import get_layout


def _from(layout_name: str) -> tuple[str | None, ...]:
    """A point that is the mean of two of the 308 says nothing about either, so it counts as having no counterpart."""
    layout = get_layout(layout_name)
    sources = (layout.sources.get(name) for name in layout.names)
    return tuple(source if isinstance(source, str) else None for source in sources)


_WHOLEBODY = _from("wholebody133")

NAMES: Names = {
    "keypoints": NAMES308,
    "coco17": _from("coco17"),
    "wholebody133": _WHOLEBODY,
    # The fields of a COCO-WholeBody annotation.
    "foot6": _WHOLEBODY[17:23],
    "face68": _WHOLEBODY[23:91],
    "left_hand21": _WHOLEBODY[91:112],
    "right_hand21": _WHOLEBODY[112:133],
    # The same fields of the released evaluation files.
    "face238": tuple(NAMES308[index] for index in PARTS["face"]),
    "left_hand20": tuple(NAMES308[index] for index in PARTS["left_hand"]),
    "right_hand20": tuple(NAMES308[index] for index in PARTS["right_hand"]),
}
