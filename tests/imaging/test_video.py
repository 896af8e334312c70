"""Reading clips: every frame upright and on time, ranges, faults said at the end."""

import http.server
import socket
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import level, plain_frames, write_clip
from helpers_rtsp import rtsp_camera

from sapiens.errors import InputError
from sapiens.imaging import video
from sapiens.imaging.frame_range import FrameRange
from sapiens.imaging.video import is_network, is_video, probe, read_video


def drain(path, frames: FrameRange = FrameRange()) -> tuple[list, str | None]:  # noqa: B008 - frozen
    """Frames, and the error that came after them."""
    got = []
    try:
        for frame in read_video(path, frames):
            got.append(frame)
    except InputError as error:
        return got, str(error)
    return got, None


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        pytest.param("a.mp4", "libx264", None, id="h264 in mp4"),
        pytest.param("a.mkv", "libx264", None, id="h264 in mkv"),
        pytest.param("a.webm", "libvpx-vp9", {"crf": "10", "b": "0"}, id="vp9 in webm"),
        pytest.param("a.avi", "mpeg4", {"qmax": "2"}, id="mpeg4 in avi"),
        pytest.param("a.ts", "mpeg2video", {"qmax": "2"}, id="mpeg2 in ts"),
        pytest.param("no_suffix", "libx264", None, id="told by content"),
    ],
)
def test_read__containers_and_codecs(name: str, codec: str, options, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "no_suffix":
        write_clip(tmp_path / "a.mp4", plain_frames(12)).rename(path)
    else:
        write_clip(path, plain_frames(12), codec=codec, options=options)
    frames, error = drain(path)
    assert error is None
    assert is_video(path)
    assert [f.index for f in frames] == list(range(12))
    assert [level(f.image) for f in frames] == list(range(12))
    steps = np.diff([f.time_s for f in frames])
    assert np.allclose(steps, 0.04, atol=0.0015)
    assert frames[3].id == f"{path}:3"
    assert frames[3].path == path


def test_read__variable_frame_rate_keeps_every_time(tmp_path: Path) -> None:
    times = [0, 40, 55, 200, 210, 900, 2500]
    path = write_clip(tmp_path / "vfr.mp4", plain_frames(7), times_ms=times)
    frames, error = drain(path)
    assert error is None
    assert [round(f.time_s * 1000) for f in frames] == times


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
def test_read__rotation_metadata_is_applied(rotation: int, turns: int, tmp_path: Path) -> None:
    stored = np.zeros((1, 32, 64, 3), np.uint8)
    stored[:, :16, :32] = (250, 20, 20)  # red in the upper left
    path = write_clip(tmp_path / "turned.mp4", np.repeat(stored, 3, 0), rotation=rotation)
    frames, _ = drain(path)
    wanted = np.rot90(stored[0], turns)
    assert frames[0].image.shape == wanted.shape
    assert np.abs(frames[0].image.astype(int) - wanted).mean() < 6
    assert probe(path).size_hw == wanted.shape[:2]


def test_read__ranges_keep_numbers_and_times(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", plain_frames(20))
    frames, error = drain(path, FrameRange(5, 12, 3))
    assert error is None
    assert [(f.index, level(f.image), round(f.time_s, 3)) for f in frames] == [
        (5, 5, 0.2),
        (8, 8, 0.32),
        (11, 11, 0.44),
    ]


def test_read__colours_of_both_matrices(tmp_path: Path) -> None:
    """The colour matrix that a file names is used: skin must not shift."""
    import av

    patch = np.full((1, 32, 32, 3), (210, 140, 110), np.uint8)
    for code in (1, 5):
        path = tmp_path / f"{code}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv444p"
            stream.codec_context.colorspace = code
            frame = av.VideoFrame.from_ndarray(patch[0], format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv444p", dst_colorspace=code)))
            container.mux(stream.encode(None))
        frames, _ = drain(path)
        assert np.abs(frames[0].image.astype(int) - patch[0]).max() <= 3, code


def noisy(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 64, 96, 3), np.uint8)


def fast_start(path: Path, count: int = 30) -> bytes:
    """An mp4 whose index comes first: it opens even when its end is gone."""
    import av

    write_clip(path.with_suffix(".plain.mp4"), noisy(count))
    with av.open(str(path.with_suffix(".plain.mp4"))) as source, \
            av.open(str(path), "w", options={"movflags": "faststart"}) as target:  # fmt: skip
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path.read_bytes()


def test_read__cut_off_file_gives_what_decodes_then_says_what_is_missing(tmp_path: Path) -> None:
    data = fast_start(tmp_path / "whole.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    frames, error = drain(cut)
    assert 8 <= len(frames) < 30
    assert f"{cut}: " in error
    assert "cut off" in error
    assert f"decoded: {len(frames)} frames" in error


def test_read__cut_off_matroska_ends_early(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "whole.mkv", noisy(60)).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 2])
    frames, error = drain(cut)
    assert 15 <= len(frames) < 45
    assert "ends earlier than it announces" in error


def test_read__damage_in_the_middle_is_counted(tmp_path: Path) -> None:
    data = bytearray(fast_start(tmp_path / "whole.mp4"))
    for position in np.random.default_rng(1).integers(len(data) // 3, len(data) * 9 // 10, 60):
        data[position] ^= 0x5A
    (tmp_path / "bad.mp4").write_bytes(bytes(data))
    frames, error = drain(tmp_path / "bad.mp4")
    assert len(frames) >= 20
    assert "damaged" in error or "could not be decoded" in error


def test_read__a_range_before_the_fault_is_no_failure(tmp_path: Path) -> None:
    data = fast_start(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    frames, error = drain(tmp_path / "cut.mp4", FrameRange(0, 5))
    assert (len(frames), error) == (5, None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.mp4", b"", "no clip that FFmpeg can open", id="empty"),
        pytest.param("a.mp4", b"hello, world" * 100, "no clip that FFmpeg can open", id="text"),
        pytest.param("a.mp4", None, "no such file", id="missing"),
    ],
)
def test_read__no_clip(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for use in (probe, lambda p: next(read_video(p))):
        with pytest.raises(InputError, match=message) as caught:
            use(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_read__folder_and_sound_alone(tmp_path: Path) -> None:
    import av

    with pytest.raises(InputError, match="a folder; expected a clip"):
        next(read_video(tmp_path))
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        tone.sample_rate = 16000
        container.mux(stream.encode(tone))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="holds no video"):
        probe(tmp_path / "a.m4a")
    assert not is_video(tmp_path / "a.m4a")


def test_read__frame_of_another_size_mid_stream(tmp_path: Path) -> None:
    """Joined raw streams change their size: frames keep their own."""
    parts = []
    for name, size in (("a", (32, 48)), ("b", (48, 64))):
        write_clip(tmp_path / f"{name}.h264", plain_frames(4, *size))
        parts.append((tmp_path / f"{name}.h264").read_bytes())
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    frames, _ = drain(tmp_path / "both.h264")
    assert {f.size_hw for f in frames} == {(32, 48), (48, 64)}


def test_read__http_address(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", plain_frames(10))

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/a.mp4"
        frames, error = drain(address)
        missing = drain(address.replace("a.mp4", "b.mp4"))[1]
        server.shutdown()
    assert error is None
    assert [level(f.image) for f in frames] == list(range(10))
    assert frames[0].path is None
    assert "b.mp4: no clip that FFmpeg can open" in missing


def test_read__stream_that_falls_silent_gives_what_came_and_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(video, "TIMEOUT_S", 0.7)
    data = write_clip(tmp_path / "a.ts", noisy(40), codec="mpeg2video", options={"qmax": "8"}).read_bytes()
    over = threading.Event()

    def serve(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(4096)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: {len(data)}\r\n\r\n"
            connection.sendall(head.encode() + data[: len(data) // 2])
            over.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        begin = time.monotonic()
        frames, error = drain(f"http://127.0.0.1:{server.getsockname()[1]}/live")
        over.set()
        thread.join()
    assert 10 < len(frames) < 40
    assert "it stopped (silent for 0.7 s)" in error
    assert np.allclose(np.diff([f.time_s for f in frames]), 0.04, atol=0.0015)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("silent", [False, True], ids=["hangs up", "falls silent"])
def test_read__rtsp_camera(silent: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(video, "TIMEOUT_S", 0.7)
    data = write_clip(tmp_path / "a.ts", plain_frames(30), codec="mpeg2video", options={"qmax": "2"}).read_bytes()
    with rtsp_camera(data, stays_open=threading.Event() if silent else None) as address:
        frames, error = drain(address)
    # The last frame of a transport stream ends where the next one would begin: FFmpeg gives it or not.
    assert [level(f.image) for f in frames] == list(range(30))[: len(frames)]
    assert len(frames) >= 29
    assert np.allclose(np.diff([f.time_s for f in frames]), 0.04, atol=1e-6)
    assert (error or "none").endswith("it stopped (silent for 0.7 s); decoded: 29 frames" if silent else "none")


def test_is_network__addresses_and_files() -> None:
    for text, wanted in (("rtsp://h/x", True), ("HTTP://h/a.mp4", True), ("a.mp4", False), ("c:/a.mp4", False)):
        assert is_network(text) is wanted, text


def test_is_video__pictures_and_texts_are_none(tmp_path: Path) -> None:
    from helpers_pictures import KINDS

    for name in ("png", "jpeg"):
        (tmp_path / name).write_bytes(KINDS[name]())
        assert not is_video(tmp_path / name), name
    (tmp_path / "notes").write_text("no clip\n" * 50)
    assert not is_video(tmp_path / "notes")


def test_probe__what_a_clip_says(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.mp4", plain_frames(10), sound=True))
    assert (info.size_hw, info.frames, info.audio, float(info.rate)) == (
        (32, 48),
        10,
        True,
        pytest.approx(25, rel=0.12),
    )
