"""Colours of the 308 points, and the lines between them."""

from __future__ import annotations

from sapiens.tasks.legends import Legend
from sapiens.tasks.pose.keypoints import COCO17_NAMES, KEYPOINTS, LINKS, NAMES, PARTS, WHOLEBODY133_NAMES
from sapiens.tasks.pose.keypoints import keypoint_index as index
from sapiens.tasks.pose.sets import HANDS

_HANDS = tuple(index(source) for source in HANDS.values() if isinstance(source, str))
_WHOLEBODY = tuple(index(name) for name in WHOLEBODY133_NAMES if name in NAMES)

LEGEND = Legend(
    array="keypoints",
    names=NAMES,
    colours_rgb=tuple(point.colour_rgb for point in KEYPOINTS),
    links=LINKS,
    sets=(
        ("all 308", tuple(range(len(NAMES)))),
        ("COCO 17", tuple(index(name) for name in COCO17_NAMES)),
        ("body and feet", tuple(sorted({*PARTS["body"], *PARTS["foot"]}))),
        ("body, feet and hands", tuple(sorted({*_WHOLEBODY, *_HANDS}))),
        ("face", PARTS["face"]),
    ),
)
