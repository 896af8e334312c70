"""Carrying the sound of one clip over into another: packets as they are where the container takes them, else AAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


class Soundtrack:
    """The first audio stream of a clip, on its way into another container.

    Use `of`. Nothing is written before the first `copy_until`, and everything in time order: players that read a file
    as it arrives need sound and pictures side by side.
    """

    def __init__(self, source: InputContainer, target: OutputContainer, start_s: float) -> None:
        import av

        self._av, self._source, self._target, self._start_s = av, source, target, start_s
        self._audio = source.streams.audio[0]
        self._copied = self._audio.codec_context.name in target.supported_codecs
        if self._copied:
            self._stream: Any = target.add_stream_from_template(self._audio)
        else:
            rate = self._audio.rate if self._audio.rate in _AAC_RATES else 48_000
            # Some files say how many channels there are, not which; more than two are mixed down.
            layout = "mono" if self._audio.channels == 1 else "stereo"
            self._stream = target.add_stream("aac", rate=rate, layout=layout)
            self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        self._packets = self._shifted() if self._copied else self._encoded()
        self._waiting: Packet[AudioStream] | None = None

    @classmethod
    def of(cls, clip: str | Path, target: OutputContainer, *, start_s: float = 0.0) -> Soundtrack | None:
        """The sound of a clip from a time on, which becomes 0; None if it has none."""
        import av

        source = av.open(str(clip))
        if not source.streams.audio:
            source.close()
            return None
        return cls(source, target, start_s)

    def copy_until(self, end_s: float | None) -> None:
        """Write what is due before a time of the target; None: all the rest. Damaged parts are left out."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None:
                return
            packet = self._waiting
            if end_s is not None and packet.pts is not None and packet.pts * Fraction(packet.time_base) >= end_s:
                return
            packet.stream = self._stream
            self._target.mux(packet)
            self._waiting = None

    def close(self) -> None:
        """Let the source go."""
        self._packets.close()
        self._source.close()

    def _demuxed(self) -> Iterator[Packet[AudioStream]]:
        packets = self._source.demux(self._audio)
        while True:
            try:
                packet = next(packets, None)
            except (self._av.error.FFmpegError, OSError):
                return  # cut off; the pictures' reader says so
            if packet is None:
                return
            yield packet

    def _shifted(self) -> Any:
        shift = round(self._start_s / Fraction(self._audio.time_base)) if self._audio.time_base else 0
        for packet in self._demuxed():
            if packet.dts is None or packet.pts is None or packet.pts < shift:
                continue
            packet.pts -= shift
            packet.dts -= shift
            yield packet

    def _encoded(self) -> Any:
        for frame in self._frames():
            for part in self._resampler.resample(frame):
                yield from self._stream.encode(part)
        for part in self._resampler.resample(None):
            yield from self._stream.encode(part)
        yield from self._stream.encode(None)

    def _frames(self) -> Iterator[Any]:
        for packet in self._demuxed():
            try:
                frames = packet.decode()
            except (self._av.error.FFmpegError, OSError, ValueError):
                continue
            for frame in frames:
                if frame.pts is None or frame.time is None or frame.time < self._start_s:
                    continue
                frame.pts -= round(self._start_s / Fraction(frame.time_base or 1))
                yield frame
