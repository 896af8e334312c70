"""People through the frames of a clip: their numbers, who of them is wanted, and boxes between the detector's looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.inference.item import Item, Step
from sapiens.tasks.base import People
from sapiens.tracking import Tracker
from sapiens.tracking.tracker import overlaps

OUT_OF_SIGHT = "the chosen person is not in sight"
_KINDS = ("all", "largest", "centre", "id", "box")


@dataclass(frozen=True)
class Subject:
    """Who is wanted.

    Attributes:
        kind: "all", "largest", "centre" (nearest to the middle of the picture), "id" or "box" (overlaps it most).
        id: the number, for "id".
        box_xyxy: pixels, for "box".
    """

    kind: str = "all"
    id: int = 0
    box_xyxy: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read "all", "largest", "centre", "id:3" or "box:10,20,110,220".

        Raises:
            InputError: anything else.
        """
        kind, _, value = text.strip().lower().partition(":")
        kind = "centre" if kind == "center" else kind
        wrong = InputError(
            f"subject {text!r}: expected all, largest, centre, id:NUMBER or box:X1,Y1,X2,Y2", hint="for example id:2"
        )
        if kind not in _KINDS or bool(value) != (kind in ("id", "box")):
            raise wrong
        try:
            if kind == "id":
                return cls(kind, id=int(value))
            if kind == "box":
                x1, y1, x2, y2 = (float(part) for part in value.split(","))
                if not (x1 < x2 and y1 < y2):
                    raise wrong
                return cls(kind, box_xyxy=(x1, y1, x2, y2))
        except ValueError as error:
            raise wrong from error
        return cls(kind)

    def choose(self, people: People, size_hw: tuple[int, int]) -> int | None:
        """Position of the wanted person in one picture (not for "all"); None: not there."""
        boxes = people.boxes_xyxy
        if not len(boxes):
            return None
        if self.kind == "id":
            known = people.ids.tolist() if people.ids is not None else []
            return known.index(self.id) if self.id in known else None
        if self.kind == "largest":
            return int((boxes[:, 2:] - boxes[:, :2]).prod(1).argmax())
        if self.kind == "centre":
            middle = np.array([size_hw[1], size_hw[0]]) / 2
            return int(np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - middle, axis=1).argmin())
        shared = overlaps(np.array([self.box_xyxy]), boxes)[0]
        return int(shared.argmax()) if shared.max() > 0 else None


class Follower:
    """Finds people like the finder it is given, and follows them through clips; call it in order.

    A subject of a clip is chosen once and then followed by number; chosen anew when the tracker has given that person
    up. Pictures by themselves have no numbers.

    Args:
        find: sets `people` on an item.
        every: let it look at every so many frames of a clip only; in between, boxes move on as they moved before.
        subject: who is wanted.
    """

    def __init__(self, find: Step, *, every: int = 1, subject: Subject = Subject()) -> None:
        if every < 1:
            raise InputError(f"detector every {every} frames: expected at least 1")
        self._find, self._every, self._subject = find, every, subject
        self._clip: object = None
        self._tracker = Tracker()
        self._frames = 0
        self._size_hw: tuple[int, int] | None = None
        self._followed: int | None = None

    def __call__(self, item: Item) -> None:
        """Set `item.people`."""
        if item.source.clip is None:
            self._find(item)
            self._pick(item, None)
            return
        self._turn_to(item)
        frame = item.take()
        if self._frames % self._every == 0:
            self._find(item)
            found = item.people
            assert found is not None
            ids = self._tracker.update(found.boxes_xyxy, found.scores, frame.time_s, frame.image)
            item.people = People(found.boxes_xyxy, found.scores, found.note, ids)
        else:
            item.people = self._carried(frame.time_s, frame.size_hw)
        # Counted only once it went well: a frame the finder failed on is followed by one it looks at.
        self._frames += 1
        self._pick(item, self._followed)

    def _turn_to(self, item: Item) -> None:
        """Begin anew with another clip; keep numbers rising where a clip changes its size."""
        size_hw = item.take().size_hw
        if item.source.clip is not self._clip:
            self._clip, self._tracker, self._followed, self._frames = item.source.clip, Tracker(), None, 0
        elif size_hw != self._size_hw:
            self._tracker.forget_places()
            self._frames = 0
        self._size_hw = size_hw

    def _carried(self, time_s: float | None, size_hw: tuple[int, int]) -> People:
        boxes, scores, ids = self._tracker.predict(time_s)
        height, width = size_hw
        inside = (boxes[:, 0] < width - 1) & (boxes[:, 1] < height - 1) & (boxes[:, 2] > 1) & (boxes[:, 3] > 1)
        from sapiens.inference.people import NOBODY

        return People(boxes[inside], scores[inside], None if inside.any() else NOBODY, ids[inside])

    def _pick(self, item: Item, followed: int | None) -> None:
        people = item.people
        if people is None or self._subject.kind == "all":
            return
        if people.ids is None and self._subject.kind == "id":
            raise InputError(f"{item.source.id}: a picture by itself; people have numbers in clips only")
        chosen: int | None
        if followed is not None and people.ids is not None and self._tracker.knows(followed):
            where = np.flatnonzero(people.ids == followed)
            chosen = int(where[0]) if len(where) else None
        else:
            chosen = self._subject.choose(people, item.take().size_hw)
        if chosen is not None and people.ids is not None:
            self._followed = int(people.ids[chosen])
        item.people = _only(people, chosen)


def _only(people: People, chosen: int | None) -> People:
    keep: npt.NDArray[np.int64] = np.array([] if chosen is None else [chosen], np.int64)
    note = people.note if chosen is not None or not len(people) else OUT_OF_SIGHT
    ids = people.ids[keep] if people.ids is not None else None
    return People(people.boxes_xyxy[keep], people.scores[keep], note, ids)
