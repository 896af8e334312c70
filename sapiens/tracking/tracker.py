"""Numbers for people: each box of a frame is matched with the people seen before, by place, motion and looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sapiens.errors import require
from sapiens.imaging.frame import ImageU8
from sapiens.tracking.looks import look_at, unlike
from sapiens.tracking.motion import BoxMotion

LOST_AFTER_S = 2.0
"""Someone who has not been seen for so long is a new person when seen again."""
LEAST_OVERLAP = 0.1
"""Intersection over union below which a box is nobody who was there before."""
LOOKS_WEIGHT = 2.0
"""How much a difference in colour (0..1) counts beside one minus the overlap."""
LOOKS_MEMORY = 0.9
"""Part of the remembered colours that stays at each sight."""
USUAL_FRAME_S = 0.04


@dataclass(eq=False)
class _Person:
    id: int
    motion: BoxMotion
    looks: npt.NDArray[np.float32] | None
    score: float
    seen_s: float


class Tracker:
    """Gives the people of a clip numbers that stay theirs. Frames come in order.

    Args:
        lost_after_s: how long someone may be out of sight and keep the number.
    """

    def __init__(self, lost_after_s: float = LOST_AFTER_S) -> None:
        self._lost_after_s = lost_after_s
        self._people: list[_Person] = []
        self._next_id = 1
        self._now_s: float | None = None

    def update(
        self,
        boxes_xyxy: npt.NDArray[np.floating],
        scores: npt.NDArray[np.floating],
        time_s: float | None = None,
        image: ImageU8 | None = None,
    ) -> npt.NDArray[np.int32]:
        """Take in the boxes of the next frame.

        Args:
            boxes_xyxy: (N, 4) pixels.
            scores: (N,).
            time_s: of the frame; default one frame of 25 a second after the last.
            image: (H, W, 3) uint8 RGB; with it, colours help to tell people apart.

        Returns:
            (N,) int32, from 1, each different.
        """
        self._advance(time_s)
        looks = [look_at(image, box) if image is not None else None for box in boxes_xyxy]
        ids = np.zeros(len(boxes_xyxy), np.int32)
        for person, k in self._match(boxes_xyxy, looks):
            self._see(person, boxes_xyxy[k], looks[k], float(scores[k]), crowded=_crowded(boxes_xyxy, k))
            ids[k] = person.id
        for k in np.flatnonzero(ids == 0).tolist():
            person = _Person(self._next_id, BoxMotion(boxes_xyxy[k]), looks[k], float(scores[k]), self._now)
            self._next_id += 1
            self._people.append(person)
            ids[k] = person.id
        for person in self._people:
            if person.seen_s < self._now:
                person.motion.hold()
        return ids

    def predict(
        self, time_s: float | None = None, *, fresh_s: float | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Where people are in the next frame, for frames that no detector looks at.

        Args:
            time_s: as in `update`.
            fresh_s: leave out who was last seen longer ago; default those not in the last frame with detections.

        Returns:
            boxes (N, 4) float32 pixels, scores (N,) float32 and ids (N,) int32, as last seen and moved on.
        """
        last_seen = max((person.seen_s for person in self._people), default=0.0)
        self._advance(time_s)
        since = last_seen if fresh_s is None else self._now - fresh_s
        present = [person for person in self._people if person.seen_s >= since]
        boxes = np.array([person.motion.box_xyxy for person in present], np.float32).reshape(-1, 4)
        scores = np.array([person.score for person in present], np.float32)
        return boxes, scores, np.array([person.id for person in present], np.int32)

    def knows(self, person: int) -> bool:
        """Whether a number may still come back."""
        return any(known.id == person for known in self._people)

    def forget_places(self) -> None:
        """Begin anew, as when the picture changes its size; numbers are not given twice."""
        self._people = []

    @property
    def _now(self) -> float:
        assert self._now_s is not None, "advance first"
        return self._now_s

    def _advance(self, time_s: float | None) -> None:
        before = self._now_s
        if time_s is None:
            time_s = 0.0 if before is None else before + USUAL_FRAME_S
        # Timestamps of damaged streams may stand still or jump back.
        self._now_s = time_s if before is None or time_s > before else before + USUAL_FRAME_S / 100
        if before is not None:
            for person in self._people:
                person.motion.advance(self._now_s - before)
        self._people = [p for p in self._people if self._now_s - p.seen_s <= self._lost_after_s]

    def _match(
        self, boxes: npt.NDArray[np.floating], looks: list[npt.NDArray[np.float32] | None]
    ) -> list[tuple[_Person, int]]:
        if not self._people or not len(boxes):
            return []
        assign = require("scipy.optimize", "video").linear_sum_assignment
        places = np.array([person.motion.box_xyxy for person in self._people])
        overlap = overlaps(places, np.asarray(boxes, np.float64))
        colour = np.array([[unlike(person.looks, look) for look in looks] for person in self._people])
        # Whoever is hidden by another must not take that one's box for want of a better: a pair costs less than two
        # singles only if it is a good one.
        cost = np.where(overlap >= LEAST_OVERLAP, 1 - overlap + LOOKS_WEIGHT * colour, _NEVER)
        rows, columns = assign(cost)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return [(self._people[row], column) for row, column in pairs if cost[row, column] < _NEVER]

    def _see(
        self, person: _Person, box: npt.NDArray[np.floating], look: npt.NDArray[np.float32] | None, score: float,
        *, crowded: bool,
    ) -> None:  # fmt: skip
        person.motion.correct(box)
        person.score, person.seen_s = score, self._now
        # Colours seen beside someone else may be that one's.
        if look is not None and (person.looks is None or not crowded):
            old = look if person.looks is None else person.looks
            person.looks = (LOOKS_MEMORY * old + (1 - LOOKS_MEMORY) * look).astype(np.float32)


_NEVER = 1e6


def overlaps(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4), xyxy."""
    top_left = np.maximum(one[:, None, :2], other[None, :, :2])
    bottom_right = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(2)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(1) for b in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def _crowded(boxes: npt.NDArray[np.floating], k: int) -> bool:
    others = np.delete(boxes, k, axis=0)
    return bool(len(others)) and bool(overlaps(boxes[k : k + 1], others).max() > 0.1)
