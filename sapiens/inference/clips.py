"""Frames that belong together: a movie, a stream, a camera, or numbered pictures, each as sources in order."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sapiens.errors import InputError, SapiensError
from sapiens.imaging.camera import read_camera
from sapiens.imaging.frame import Frame
from sapiens.imaging.frame_range import FrameRange
from sapiens.imaging.read import to_frame
from sapiens.imaging.video import probe, read_video
from sapiens.inference.item import Source
from sapiens.inference.overlap import ahead_of

DECODED_AHEAD = 4
"""Frames that wait for the read stage; one of 4K takes 25 MB."""
Frames = Generator[Source, None, None]
_ALL = FrameRange()
_CLOCK = Fraction(1, 90_000)
"""Seconds per unit of time of a stream whose own is not known beforehand; MPEG's."""


@dataclass(frozen=True)
class Timing:
    """What a clip made from another one's frames must know of it.

    Attributes:
        rate: mean frames per second.
        time_base: seconds per unit of the timestamps.
        pixel_aspect: width of a pixel over its height.
        sound: where its sound is, if it has any.
        from_zero: the frames start within the clip, so their timestamps are moved to 0.
        cut: the clip goes on after the frames, and its sound must not.
    """

    rate: Fraction
    time_base: Fraction
    pixel_aspect: Fraction = Fraction(1)
    sound: str | None = None
    from_zero: bool = False
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames that belong together.

    Attributes:
        id: what errors, results and manifests call it.
        label: names its outputs; the last suffix is cut.
        frames: its frames as sources, in order, with a name each; faults come last, as a source that fails.
        timing: rate and clock; may open the clip to find out.
        path: the file or folder, if it is one.
        stills: whether the frames are picture files.
        live: whether it comes as it happens: no second look at it, and no end but the user's.
        count: how many frames there are, if that is known.
        skip: frames that are not wanted, by their names (they are done already).
        entry: which of the run's inputs it is; default its position among them.
    """

    id: str
    label: Path
    frames: Callable[[], Frames]
    timing: Callable[[], Timing]
    path: Path | None = None
    stills: bool = False
    live: bool = False
    count: int | None = None
    skip: frozenset[str] = frozenset()
    entry: int | None = None

    def sources(self) -> Frames:
        """Its frames in order; what could not be decoded comes last, as a source that fails."""
        with closing(self.frames()) as frames:
            for source in frames:
                if source.name is None or source.name not in self.skip:
                    yield dataclasses.replace(source, clip=self)


def movie(path: Path, frames: FrameRange = _ALL) -> Clip:
    """A file that PyAV reads; see `sapiens.imaging.video`."""
    return Clip(
        id=str(path),
        label=path,
        frames=lambda: _decoded(str(path), lambda: read_video(path, frames), path.stem),
        timing=lambda: _timing(str(path), str(path), frames),
        path=path,
    )


def network_stream(address: str, frames: FrameRange = _ALL) -> Clip:
    """A stream from an RTSP, HTTP, ... address. Passwords in it are not shown."""
    shown = _without_password(address)
    # Files on a server can be opened again, for their clock and their sound; a live stream cannot.
    stored = address.lower().startswith("http") and Path(urlsplit(address).path).suffix != ""
    label = Path(Path(urlsplit(address).path).name or urlsplit(address).hostname or "stream")
    return Clip(
        id=shown,
        label=label,
        frames=lambda: _decoded(shown, lambda: read_video(address, frames, shown), label.stem),
        timing=lambda: _timing(address, shown, frames) if stored else Timing(Fraction(25), _CLOCK, from_zero=True),
        live=not stored,
    )


def camera(number: int, frames: FrameRange = _ALL) -> Clip:
    """A camera on this machine, by its number."""
    name = f"camera:{number}"
    return Clip(
        id=name,
        label=Path(f"camera_{number}"),
        frames=lambda: _decoded(name, lambda: read_camera(number, frames), f"camera_{number}"),
        timing=lambda: Timing(Fraction(30), _CLOCK, from_zero=True),
        live=True,
    )


def picture_sequence(
    name: str,
    label: Path,
    paths: Sequence[Path],
    numbers: Sequence[int],
    read: Callable[[Path], Callable[[], Frame]],
    *,
    fps: float = 25.0,
    frames: FrameRange = _ALL,
) -> Clip:
    """Picture files as the frames of a clip; one that cannot be read fails alone.

    Args:
        name: what errors call the clip.
        label: names its outputs.
        paths, numbers: the files in order, and the number of each; `frames` means these numbers.
        read: path -> function that decodes it.
        fps: pictures per second; the picture with the first number is at 0.

    Raises:
        InputError: no picture within `frames`.
    """
    chosen = [(path, number) for path, number in zip(paths, numbers, strict=True) if number in frames]
    if not chosen:
        raise InputError(f"{name}: no picture within {frames}; they are numbered {numbers[0]} to {numbers[-1]}")
    shared = Counter(path.stem.casefold() for path, _ in chosen)
    rate = Fraction(fps).limit_denominator(100_000)

    def sources() -> Frames:
        for path, number in chosen:
            own = path.stem if shared[path.stem.casefold()] == 1 else path.name
            time_s = float((number - numbers[0]) / rate)
            yield Source(str(path), _numbered(read(path), number, time_s), path, name=own)

    return Clip(
        id=name,
        label=label,
        frames=sources,
        timing=lambda: Timing(rate, 1 / (rate * 1000), from_zero=frames.start > 0),
        path=paths[0].parent,
        stills=True,
        count=len(chosen),
    )


def iterable_clip(pictures: Iterable[Any], fps: float, frames: FrameRange = _ALL) -> Clip:
    """Pictures handed over in memory as the frames of a clip."""
    rate = Fraction(fps).limit_denominator(100_000)

    def sources() -> Frames:
        for index, picture in enumerate(pictures):
            if frames.ends_before(index):
                return
            if index in frames:
                read = functools.partial(to_frame, picture, index)
                yield Source(f"frame {index}", _numbered(read, index, float(index / rate)), name=f"{index:06d}")

    return Clip("pictures", Path("pictures"), sources, lambda: Timing(rate, 1 / (rate * 1000)))


def _numbered(read: Callable[[], Frame], number: int, time_s: float) -> Callable[[], Frame]:
    return lambda: dataclasses.replace(read(), index=number, time_s=time_s)


def _decoded(name: str, read: Callable[[], Iterator[Frame]], stem: str) -> Frames:
    """A thread decodes ahead; frames become sources that have nothing left to read."""
    count = 0
    with closing(ahead_of(read(), ahead=DECODED_AHEAD, name="decode")) as frames:
        try:
            for frame in frames:
                count += 1
                yield Source(frame.id, _held(frame), name=f"{stem}.{frame.index:06d}")
        except SapiensError as error:
            yield Source(name, _failure(error))
            return
    if not count:
        yield Source(name, _failure(InputError(f"{name}: no frame within the frames that were asked for")))


def _held(frame: Frame) -> Callable[[], Frame]:
    return lambda: frame


def _failure(error: SapiensError) -> Callable[[], Frame]:
    def read() -> Frame:
        raise error

    return read


def _timing(target: str, name: str, frames: FrameRange) -> Timing:
    info = probe(target, name)
    return Timing(
        rate=info.rate / frames.step,
        time_base=info.time_base,
        pixel_aspect=info.pixel_aspect,
        sound=target if info.audio else None,
        from_zero=frames.start > 0,
        cut=frames.stop is not None,
    )


def _without_password(address: str) -> str:
    return re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", address)
