"""Writing clips through PyAV: the frames' own size and timestamps, sound carried over, whole files or none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError, require
from sapiens.imaging.soundtrack import Soundtrack
from sapiens.imaging.write import atomic_path

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_BT709, _LIMITED = 1, 1
"""H.273 code of BT.709 for primaries, transfer and matrix; FFmpeg's code of the 16..235 range."""


@dataclass(frozen=True)
class Encoding:
    """How pictures become a clip.

    Attributes:
        suffix: of the file, with the dot.
        codec: FFmpeg's name of the encoder.
        pixels: pixel format of frames with even sides, and of others.
        alpha: whether it takes RGBA (straight) instead of RGB.
        options: of the encoder.
    """

    suffix: str
    codec: str
    pixels: tuple[str, str]
    alpha: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


H264 = Encoding(".mp4", "libx264", ("yuv420p", "yuv444p"), options={"crf": "18", "preset": "veryfast"})
"""Plays everywhere; frames with an odd side keep it by 4:4:4 chroma, which some players do not take."""
PRORES = Encoding(
    ".mov", "prores_ks", ("yuva444p10le", "yuva444p10le"), alpha=True, options={"profile": "4444", "alpha_bits": "16"}
)
"""ProRes 4444: 10 bits, 16 bits of alpha, every frame on its own."""
VP9 = Encoding(
    ".webm", "libvpx-vp9", ("yuva420p", "yuva420p"), alpha=True,
    options={"crf": "18", "b": "0", "row-mt": "1", "cpu-used": "4", "auto-alt-ref": "0"},
)  # fmt: skip
"""VP9 with alpha, for web pages. WebM counts time in whole milliseconds."""


class VideoWriter:
    """Writes one clip; the file appears when it is closed.

    Args:
        path: where; its suffix is the encoding's.
        encoding: how.
        rate: frames per second, for players that want one; the timestamps rule.
        time_base: seconds per unit of the timestamps.
        pixel_aspect: width of a pixel over its height.
        sound: a file or address of a clip whose sound is carried over, if it has any.
        from_zero: shift the timestamps, and the sound with them, so that the first frame is at 0.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding = H264,
        *,
        rate: Fraction = Fraction(25),
        time_base: Fraction | None = None,
        pixel_aspect: Fraction = Fraction(1),
        sound: str | Path | None = None,
        from_zero: bool = False,
    ) -> None:
        self._av = require("av", "video")
        self.path, self._encoding, self._sound = path, encoding, sound
        self._rate = rate.limit_denominator(10_000)
        self._time_base = time_base if time_base is not None else 1 / self._rate
        self._pixel_aspect, self._from_zero = pixel_aspect, from_zero
        self._files = ExitStack()
        self._container: OutputContainer | None = None
        self._stream: VideoStream
        self._track: Soundtrack | None = None
        self._size_hw: tuple[int, int] | None = None
        self._start_s, self._last = 0.0, -sys.maxsize
        self.frames = 0

    def write(self, image: npt.NDArray[Any], time_s: float | None = None) -> None:
        """Add a frame.

        Args:
            image: (H, W, 3) uint8 RGB; with alpha (H, W, 4) uint8 or uint16 straight RGBA.
            time_s: its presentation time; default one frame after the last.

        Raises:
            InputError: another size than the first frame, a time not after the last frame's, or the file cannot be
                written.
        """
        size_hw = (image.shape[0], image.shape[1])
        if self._size_hw is None:
            self._start(size_hw, time_s)
        elif size_hw != self._size_hw:
            raise InputError(
                f"{self.path}: this frame is {_size(size_hw)}, the clip's first was {_size(self._size_hw)}"
            )
        pts = self._pts(time_s)
        if pts <= self._last:
            raise InputError(f"{self.path}: frame {self.frames} comes at {time_s} s, not after the one before it")
        form = {(3, "uint8"): "rgb24", (4, "uint8"): "rgba", (4, "uint16"): "rgba64le"}[
            image.shape[2], image.dtype.name
        ]
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=form)
        frame = frame.reformat(format=self._stream.pix_fmt, dst_colorspace=_BT709, dst_color_range=_LIMITED)
        frame.pts, frame.time_base = pts, self._time_base
        with self._reported():
            if self._track is not None:
                self._track.copy_until(float(pts * self._time_base))
            self._open_container.mux(self._stream.encode(frame))
        self._last = pts
        self.frames += 1

    def close(self, *, whole: bool = True) -> Path | None:
        """Finish the file; without a single frame there is none.

        Args:
            whole: carry all the rest of the sound over; False: only up to the last frame.

        Returns:
            its path, or None.

        Raises:
            InputError: it cannot be written; nothing is left of it.
        """
        if self._container is None:
            return None
        container, self._container = self._container, None
        with self._files, self._reported():
            if self._track is not None:
                end_s = float(self._last * self._time_base + 1 / self._rate)
                self._track.copy_until(None if whole else end_s)
                self._track.close()
            container.mux(self._stream.encode(None))
            container.close()
        return self.path

    def discard(self) -> None:
        """Leave no file, after an error."""
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            container.close()
        except (self._av.error.FFmpegError, OSError):
            pass  # the disk that is full, or whatever led here: already reported
        finally:
            self._files.__exit__(_DiscardError, _DiscardError(), None)

    @property
    def _open_container(self) -> OutputContainer:
        assert self._container is not None, "started by the first frame"
        return self._container

    def _start(self, size_hw: tuple[int, int], time_s: float | None) -> None:
        self._size_hw = size_hw
        self._start_s = (time_s or 0.0) if self._from_zero else 0.0
        temporary = self._files.enter_context(atomic_path(self.path))
        with self._reported():
            self._container = self._av.open(str(temporary), "w")
            self._stream = self._new_stream(size_hw)
            if self._sound is not None:
                self._track = Soundtrack.of(self._sound, self._container, start_s=self._start_s)

    def _new_stream(self, size_hw: tuple[int, int]) -> VideoStream:
        form = self._encoding
        try:
            stream: Any = self._open_container.add_stream(form.codec, self._rate, dict(form.options))
        except self._av.codec.codec.UnknownCodecError as error:
            raise InputError(
                f"{self.path}: this PyAV has no encoder {form.codec}", hint="pip install --force-reinstall av"
            ) from error
        stream.height, stream.width = size_hw
        stream.pix_fmt = form.pixels[size_hw[0] % 2 or size_hw[1] % 2]
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._pixel_aspect
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return cast("VideoStream", stream)

    def _pts(self, time_s: float | None) -> int:
        if time_s is not None:
            return round((time_s - self._start_s) / self._time_base)
        return self._last + max(1, round(1 / (self._rate * self._time_base))) if self.frames else 0

    def _reported(self) -> _Reported:
        return _Reported(self.path, self._av.error.FFmpegError)


class _DiscardError(Exception):
    """Makes `atomic_path` drop the temporary file."""


class _Reported:
    """Turns FFmpeg's errors in its block into one line that names the file."""

    def __init__(self, path: Path, error: type[Exception]) -> None:
        self._path, self._error = path, error

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (self._error, OSError)):
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self._path}: cannot be written ({reason})") from error


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"
