"""Reading clips through PyAV: files and streams of anything FFmpeg decodes, upright, with their own timestamps.

What can be decoded is yielded; what could not be is raised at the end, so that no frame is lost to a later fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sapiens.errors import InputError, require
from sapiens.imaging.frame import Frame, ImageU8
from sapiens.imaging.frame_range import FrameRange

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".m2ts", ".mts", ".ts", ".mxf", ".wmv",
    ".flv", ".3gp", ".3g2", ".ogv", ".vob", ".asf", ".y4m", ".h264", ".264", ".h265", ".265", ".hevc", ".ivf", ".mjpeg",
)  # fmt: skip
"""Lower case; compare with `path.suffix.lower()`. A file of another suffix may still be a clip; see `is_video`."""

NETWORK = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
TIMEOUT_S = 10.0
"""How long a network stream may be silent before it counts as stopped."""
_PICTURES = ("image2", "gif", "apng", "tty")
"""FFmpeg's names for what it reads as clips and we do not: pictures, and text as drawn by a terminal."""
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class VideoInfo:
    """What a clip says about itself.

    Attributes:
        name: what errors call it.
        size_hw: height and width of its upright frames, in pixels.
        rate: mean frames per second.
        time_base: seconds per unit of its timestamps.
        frames: how many it announces; None where it does not.
        audio: whether it has sound.
        pixel_aspect: width of a pixel over its height, as stored; 1 for all but some broadcast formats.
    """

    name: str
    size_hw: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    frames: int | None
    audio: bool
    pixel_aspect: Fraction = Fraction(1)


@dataclass
class _Faults:
    """What went wrong in a clip, for the one line at its end."""

    packets: int = 0
    corrupt: list[int] = field(default_factory=list)
    ended: str | None = None


def is_network(target: str) -> bool:
    """Whether this is the address of a stream, not of a file."""
    return target.partition("://")[0].lower() in NETWORK and "://" in target


def is_video(path: Path) -> bool:
    """Whether a file is a clip: by its suffix, else by its content, if PyAV is there to look at it."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    try:
        import av
    except ModuleNotFoundError:
        return False
    try:
        with av.open(str(path)) as container:
            name = container.format.name
            return bool(container.streams.video) and name not in _PICTURES and not name.endswith("_pipe")
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def probe(target: str | Path, name: str | None = None) -> VideoInfo:
    """What a clip says about itself; its first frame is decoded for its true size and rotation.

    Args:
        target, name: as in `read_video`.

    Raises:
        InputError: missing, no clip, or not one frame in it can be decoded.
    """
    name = name or str(target)
    with _open(str(target), name) as container:
        stream = _video_stream(container, name)
        first = next(_decoded(container, stream, _Faults()), None)
        if first is None:
            raise InputError(f"{name}: not one frame can be decoded")
        height, width = (first.height, first.width) if first.rotation % 180 == 0 else (first.width, first.height)
        rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        return VideoInfo(
            name=name,
            size_hw=(height, width),
            rate=Fraction(rate),
            time_base=Fraction(stream.time_base or 1 / rate),
            frames=stream.frames or None,
            audio=bool(container.streams.audio),
            pixel_aspect=aspect if first.rotation % 180 == 0 else 1 / aspect,
        )


def read_video(
    target: str | Path,
    frames: FrameRange = FrameRange(),  # noqa: B008 - frozen
    name: str | None = None,
) -> Iterator[Frame]:
    """Decode a clip, frame by frame.

    Args:
        target: a file, or the address of a stream (`is_network`).
        frames: which to yield; the ones before are decoded, as others may need them.
        name: what errors and frames call it; default the target. An address may hold a password.

    Yields:
        frames turned upright by the rotation in their metadata, `index` counting from 0, `time_s` as stored.

    Raises:
        InputError: missing or no clip, at once; what could not be decoded, the clip's end cut off, or a stream that
            stopped, after all the frames that could.
        MissingDependencyError: PyAV is not installed.
    """
    name, faults = name or str(target), _Faults()
    path = None if is_network(str(target)) else Path(target)
    with _open(str(target), name) as container:
        # Threads stay PyAV's default, slices: with frame threads a fault takes the frames before it along.
        stream = _video_stream(container, name)
        index, end_s = -1, None
        for index, frame in enumerate(_decoded(container, stream, faults)):
            if frames.ends_before(index):
                break
            if frame.is_corrupt:
                faults.corrupt.append(index)
            time_s, end_s = _times_s(frame, stream)
            if index in frames:
                yield Frame(_upright(frame), f"{name}:{index}", index, time_s, path)
        else:
            _report(name, container, stream, faults, index + 1, end_s, live=path is None)


def _open(target: str, name: str) -> InputContainer:
    av = require("av", "video")
    options: dict[str, Any] = {}
    if is_network(target):
        options = {"timeout": (TIMEOUT_S, TIMEOUT_S)}
        if target.lower().startswith("rtsp"):
            # Over UDP most networks drop parts of large frames, and nobody is told.
            options["options"] = {"rtsp_transport": "tcp"}
    elif Path(target).is_dir():
        raise InputError(f"{name}: a folder; expected a clip")
    elif not Path(target).exists():
        raise InputError(f"{name}: no such file or folder")
    try:
        container: InputContainer = av.open(target, **options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: no clip that FFmpeg can open ({_reason(error)})") from error
    return container


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    # Cover pictures of sound files are video streams to FFmpeg.
    streams = [s for s in container.streams.video if "attached_pic" not in str(getattr(s, "disposition", "")).lower()]
    if not streams:
        raise InputError(f"{name}: holds no video")
    return streams[0]


def _decoded(container: InputContainer, stream: VideoStream, faults: _Faults) -> Iterator[VideoFrame]:
    """Frames of a stream; faults are counted, not raised."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            silent = isinstance(error, av.error.ExitError)  # what FFmpeg calls its timeout
            faults.ended, packet = f"silent for {TIMEOUT_S:g} s" if silent else _reason(error), None
        try:
            yield from stream.decode(packet)
        except (av.error.EOFError, EOFError):
            return  # already flushed by the empty packet at the end
        except (av.error.FFmpegError, OSError, ValueError):
            faults.packets += 1
        if packet is None:
            return


def _upright(frame: VideoFrame) -> ImageU8:
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns) if turns else image, np.uint8)


def _times_s(frame: VideoFrame, stream: VideoStream) -> tuple[float | None, float | None]:
    """When a frame begins and ends."""
    # The last frames of a stream that stopped come without a time base of their own.
    base = frame.time_base or stream.time_base
    if frame.pts is None or not base:
        return None, None
    return float(frame.pts * base), float((frame.pts + (frame.duration or 0)) * base)


def _report(
    name: str,
    container: InputContainer,
    stream: VideoStream,
    faults: _Faults,
    count: int,
    end_s: float | None,
    *,
    live: bool,
) -> None:
    """Raise if the clip was not decoded whole."""
    reasons = []
    if faults.packets:
        reasons.append(f"{_count(faults.packets, 'packet')} could not be decoded")
    if faults.corrupt:
        reasons.append(f"{_count(len(faults.corrupt), 'frame')} came damaged (the first is {faults.corrupt[0]})")
    missing = 0 if live else _missing(container, stream)
    if faults.ended is not None:
        reasons.append(f"it stopped ({faults.ended})")
    elif missing:
        reasons.append(f"the file is cut off, {_count(missing, 'frame')} short of its end")
    elif not live and _ends_early(container, stream, end_s):
        reasons.append("it ends earlier than it announces")
    if count == 0 and not reasons:
        reasons.append("it holds no frame")
    if reasons:
        raise InputError(f"{name}: {', and '.join(reasons)}; decoded: {_count(count, 'frame')}")


def _missing(container: InputContainer, stream: VideoStream) -> int:
    """Frames that a file's index places beyond the file's end."""
    return sum(entry.pos + entry.size > container.size for entry in stream.index_entries) if container.size > 0 else 0


def _ends_early(container: InputContainer, stream: VideoStream, end_s: float | None) -> bool:
    """Whether the last frame ends well before the duration in a file's header (not one guessed from the bit rate)."""
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if length is None and "matroska" in container.format.name and not container.streams.audio:
        length = container.duration / 1e6 if container.duration else None
    if length is None or end_s is None:
        return False
    frame_s = 1 / float(stream.average_rate or _USUAL_RATE)
    return start + length - end_s > max(0.5, 3 * frame_s)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
