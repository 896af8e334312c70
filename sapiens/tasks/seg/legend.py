"""Colours of the 29 parts."""

from __future__ import annotations

from sapiens.tasks.legends import Legend
from sapiens.tasks.seg.classes import NAMES, PARTS

LEGEND = Legend(array="labels", names=NAMES, colours_rgb=tuple(part.colour_rgb for part in PARTS))
