"""Writing clips: size, timestamps and sound kept, alpha in and out, whole files or none."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers_clips import level, plain_frames, write_clip

from sapiens.errors import InputError
from sapiens.imaging.video import probe, read_video
from sapiens.imaging.video_write import H264, PRORES, VP9, VideoWriter

MS = Fraction(1, 1000)


def copy(source: Path, target: Path, **changes) -> Path:
    info = probe(source)
    settings = {"rate": info.rate, "time_base": info.time_base, "sound": source} | changes
    writer = VideoWriter(target, **settings)
    for frame in read_video(source):
        writer.write(frame.image, frame.time_s)
    assert writer.close() == target
    return target


def tone(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    whole = np.concatenate([p.reshape(1, -1) for p in parts], 1)[0]
    return whole / 32768 if whole.dtype == np.int16 else whole


@pytest.mark.parametrize(
    ("name", "times"),
    [
        pytest.param("a.mp4", [40 * k for k in range(12)], id="constant"),
        pytest.param("a.mp4", [0, 40, 55, 200, 210, 900, 2500], id="variable"),
        pytest.param("a.mp4", [500, 540, 580, 700], id="starts late"),
        pytest.param("a.mkv", [33 * k for k in range(9)], id="matroska's clock"),
    ],
)
def test_write__timestamps_are_the_sources(name: str, times: list[int], tmp_path: Path) -> None:
    source = write_clip(tmp_path / name, plain_frames(len(times)), times_ms=times)
    target = copy(source, tmp_path / "out.mp4")
    wanted, got = ([(f.time_s, level(f.image)) for f in read_video(p)] for p in (source, target))
    assert [g[1] for g in got] == [w[1] for w in wanted] == list(range(len(times)))
    assert np.allclose([g[0] for g in got], [w[0] for w in wanted], atol=1e-4)


@pytest.mark.parametrize("size_hw", [(32, 48), (33, 48), (32, 47), (31, 45)])
@pytest.mark.parametrize("encoding", [H264, PRORES, VP9], ids=lambda e: e.codec)
def test_write__any_size_is_kept(encoding, size_hw: tuple[int, int], tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / f"a{encoding.suffix}", encoding)
    for _ in range(3):
        writer.write(np.full((*size_hw, 4 if encoding.alpha else 3), 90, np.uint8))
    path = writer.close()
    info = probe(path)
    assert info.size_hw == size_hw
    assert len(list(read_video(path))) == 3


@pytest.mark.parametrize(
    ("name", "codec", "video"),
    [
        pytest.param("a.mp4", "aac", "libx264", id="copied"),
        pytest.param("a.avi", "pcm_s16le", "mpeg4", id="raw"),
        pytest.param("a.avi", "adpcm_ms", "mpeg4", id="encoded anew"),
    ],
)
def test_write__sound_is_kept(name: str, codec: str, video: str, tmp_path: Path) -> None:
    options = {"qmax": "2"} if video == "mpeg4" else None
    source = write_clip(tmp_path / name, plain_frames(25), sound=True, sound_codec=codec, codec=video, options=options)
    target = copy(source, tmp_path / "out.mp4")
    sound = tone(target)
    assert abs(len(sound) - 16000) < 2500
    assert 0.25 < np.abs(sound[2000:14000]).mean() < 0.4  # a sine of 0.5 has 0.318
    spectrum = np.abs(np.fft.rfft(sound[2000:14000]))
    assert abs(spectrum.argmax() * 16000 / 12000 - 440) < 3


def test_write__sound_beside_the_pictures_not_after_them(tmp_path: Path) -> None:
    target = copy(write_clip(tmp_path / "a.mp4", plain_frames(50), sound=True), tmp_path / "out.mp4")
    with av.open(str(target)) as container:
        kinds = [p.stream.type for p in container.demux() if p.dts is not None]
    first, last = kinds.index("audio"), len(kinds) - 1 - kinds[::-1].index("audio")
    assert first < len(kinds) // 3
    assert last - first > len(kinds) // 2


def test_write__part_of_a_clip_starts_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", plain_frames(50), sound=True)
    info = probe(source)
    writer = VideoWriter(tmp_path / "out.mp4", rate=info.rate, time_base=info.time_base, sound=source, from_zero=True)
    for frame in read_video(source):
        if 25 <= frame.index < 35:
            writer.write(frame.image, frame.time_s)
    path = writer.close(whole=False)
    assert [round(f.time_s, 3) for f in read_video(path)] == [round(0.04 * k, 3) for k in range(10)]
    assert abs(len(tone(path)) / 16000 - 0.4) < 0.13


@pytest.mark.parametrize(("encoding", "deep", "tolerance"), [(PRORES, True, 2), (PRORES, False, 2), (VP9, False, 4)])
def test_write__alpha_comes_back(encoding, deep: bool, tolerance: int, tmp_path: Path) -> None:
    rgba = np.zeros((64, 96, 4), np.uint8)
    rgba[..., 0], rgba[..., 1] = 200, 80
    rgba[..., 3] = np.linspace(0, 255, 96).astype(np.uint8)
    writer = VideoWriter(tmp_path / f"m{encoding.suffix}", encoding, time_base=MS)
    for time_s in (0.0, 0.04, 0.1):
        writer.write(rgba.astype(np.uint16) * 257 if deep else rgba, time_s)
    path = writer.close()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if encoding is VP9:  # FFmpeg's own decoder drops alpha; the library's has it
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        else:
            assert stream.codec_context.profile == "4444"
            frames = list(container.decode(stream))
        assert [round(frame.time, 3) for frame in frames] == [0.0, 0.04, 0.1]
        got = frames[0].to_ndarray(format="rgba").astype(int)
    assert np.abs(got[..., 3] - rgba[..., 3].astype(int)).max() <= tolerance
    assert np.abs(got[8:-8, 16:-16, :3] - rgba[8:-8, 16:-16, :3].astype(int)).mean() <= tolerance


def test_write__colours_survive(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32], picture[:32, 32:], picture[32:, :32] = (210, 140, 110), (20, 200, 40), (30, 40, 220)
    writer = VideoWriter(tmp_path / "a.mp4")
    for _ in range(4):
        writer.write(picture)
    frame = next(read_video(writer.close()))
    for row, column in ((16, 16), (16, 48), (48, 16), (48, 48)):
        assert np.abs(frame.image[row, column].astype(int) - picture[row, column]).max() <= 6


def test_write__another_size_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4")
    writer.write(np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(InputError, match="this frame is 64x32, the clip's first was 48x32"):
        writer.write(np.zeros((32, 64, 3), np.uint8))
    writer.write(np.zeros((32, 48, 3), np.uint8))
    assert len(list(read_video(writer.close()))) == 2


def test_write__time_must_rise(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", time_base=MS)
    writer.write(np.zeros((32, 48, 3), np.uint8), 0.2)
    with pytest.raises(InputError, match="not after the one before"):
        writer.write(np.zeros((32, 48, 3), np.uint8), 0.1)
    writer.discard()
    assert os.listdir(tmp_path) == []


def test_close__no_frame_no_file(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4")
    assert writer.close() is None
    writer.discard()
    assert os.listdir(tmp_path) == []


def test_write__file_appears_only_at_the_end(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "deep/a.mp4")
    writer.write(np.zeros((32, 48, 3), np.uint8))
    assert not (tmp_path / "deep/a.mp4").exists()
    writer.close()
    assert os.listdir(tmp_path / "deep") == ["a.mp4"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_write__full_disk_is_one_line_with_its_cause(tmp_path: Path, monkeypatch) -> None:
    from contextlib import contextmanager

    from sapiens.imaging import video_write
    from sapiens.inference.item import disk_is_full

    @contextmanager
    def on_a_full_disk(path):
        yield Path("/dev/full")

    monkeypatch.setattr(video_write, "atomic_path", on_a_full_disk)
    open_any = av.open
    monkeypatch.setattr(av, "open", lambda name, mode: open_any(name, mode, format="mp4"))
    writer = VideoWriter(tmp_path / "a.mp4")
    rng = np.random.default_rng(0)

    def fill() -> None:
        for _ in range(100):
            writer.write(rng.integers(0, 255, (256, 256, 3), np.uint8))

    with pytest.raises(InputError, match=r"a.mp4: cannot be written \(No space left on device\)") as caught:
        fill()
    assert disk_is_full(caught.value)
    writer.discard()
