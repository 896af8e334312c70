"""Who is who over time: numbers for people in clips, and steady keypoints.

Why a tracker of our own: the well-kept ones come inside packages that bring a plotting library and a second way to read
video (supervision), or a licence that ours cannot carry (boxmot). What is needed is little, and tested here: motion
(`motion.py`), looks (`looks.py`), one assignment by SciPy (`tracker.py`).
"""

from __future__ import annotations

from sapiens.tracking.one_euro import OneEuro
from sapiens.tracking.scores import TrackingScores, score_tracks
from sapiens.tracking.tracker import Tracker

__all__ = ["OneEuro", "Tracker", "TrackingScores", "score_tracks"]
