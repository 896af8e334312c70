"""What `Predictor.stream` does: from whatever a user names to the engine's items."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sapiens.errors import InputError
from sapiens.imaging.frame_range import FrameRange
from sapiens.inference.clips import Clip, iterable_clip
from sapiens.inference.engine import run
from sapiens.inference.follow import Follower, Subject
from sapiens.inference.item import Item, Source
from sapiens.inference.sources import find_sources
from sapiens.inference.steady import Steadier, has_keypoints

if TYPE_CHECKING:
    from sapiens.inference.predictor import Predictor

USUAL_FPS = 25.0


@dataclass(frozen=True)
class How:
    """The arguments of `Predictor.stream` besides the sources, which that explains."""

    whole_image: bool
    frames: str | None
    fps: float | None
    sequence: bool
    detect_every: int
    subject: str
    smooth: bool


def stream(predictor: Predictor, sources: Any, how: How) -> Generator[Item, None, None]:
    """The engine's items.

    Raises:
        InputError: an option that the task or the sources have no use for.
    """
    task = predictor.task
    subject = Subject.parse(how.subject)
    if not predictor.needs_people and (subject.kind != "all" or how.detect_every != 1):
        raise InputError(
            f"{task.name} works on whole pictures: detect_every and subject are for pose and detail='people'"
        )
    if not task.top_down and how.whole_image:
        raise InputError(f"{task.name} works on whole pictures: whole_image is for pose")
    if how.smooth and not has_keypoints(task):
        raise InputError(f"{task.name} has no keypoints to smooth")
    follower = None
    if predictor.needs_people:
        follower = Follower(
            predictor.people_finder(whole_image=how.whole_image), every=how.detect_every, subject=subject
        )
    frames = FrameRange.parse(how.frames) if how.frames is not None else None
    found = _sources(sources, frames, USUAL_FPS if how.fps is None else how.fps, how.sequence)
    return run(found, [predictor], find=follower, refine=Steadier() if how.smooth else None)


def _sources(sources: Any, frames: FrameRange | None, fps: float, sequence: bool) -> Iterable[Source | Clip]:
    from sapiens.inference.predictor import picture_source

    if isinstance(sources, str | Path):
        return find_sources([str(sources)], frames=frames, fps=fps, sequence=sequence).sources
    if not isinstance(sources, Iterable):
        raise InputError(f"cannot use {type(sources).__name__}; expected a path, an address, or pictures")
    if sequence:
        return [iterable_clip(sources, fps, frames or FrameRange())]
    if frames is not None:
        raise InputError("frames: these are single pictures", hint="sequence=True takes them as the frames of a clip")
    return (picture_source(picture, index) for index, picture in enumerate(sources))
