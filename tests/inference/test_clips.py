"""Frames that belong together, as users name them: movies, patterns, folders, cameras, addresses."""

import threading
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import level, plain_frames, write_clip
from PIL import Image

from sapiens.errors import InputError
from sapiens.imaging.exr import write_exr
from sapiens.imaging.frame_range import FrameRange
from sapiens.inference.clips import Clip, movie, network_stream
from sapiens.inference.naming import check_beside, output_stems
from sapiens.inference.sources import find_sources


def pictures(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        Image.fromarray(plain_frames(k + 1)[k]).save(folder / name)
    return [folder / name for name in names]


def only_clip(inputs: list, **wishes) -> Clip:
    found = find_sources([str(i) for i in inputs], **wishes)
    assert len(found.sources) == 1
    (clip,) = found.clips
    return clip


def frames_of(clip: Clip) -> tuple[list, list[str]]:
    """Frames that could be read, and the messages of the rest."""
    good, bad = [], []
    for source in clip.sources():
        assert source.clip is clip
        try:
            good.append((source.name, source.read()))
        except InputError as error:
            bad.append(error.message)
    return good, bad


def test_movie__frames_names_times(tmp_path: Path) -> None:
    clip = only_clip([write_clip(tmp_path / "walk.v2.mp4", plain_frames(8))])
    good, bad = frames_of(clip)
    assert bad == []
    assert [name for name, _ in good] == [f"walk.v2.{n:06d}" for n in range(8)]
    assert [(f.index, round(f.time_s, 3)) for _, f in good] == [(n, round(0.04 * n, 3)) for n in range(8)]
    assert [level(f.image) for _, f in good] == list(range(8))


def test_movie__fault_comes_last(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "a.mkv", np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8))
    (tmp_path / "cut.mkv").write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    sources = list(movie(tmp_path / "cut.mkv").sources())
    assert len(sources) > 10
    for source in sources[:-1]:
        source.read()
    with pytest.raises(InputError, match="ends earlier than it announces"):
        sources[-1].read()


def test_movie__range_past_its_end(tmp_path: Path) -> None:
    clip = only_clip([write_clip(tmp_path / "a.mp4", plain_frames(8))], frames=FrameRange(50))
    assert frames_of(clip) == ([], [f"{tmp_path / 'a.mp4'}: no frame within the frames that were asked for"])


def test_movie__early_stop_leaves_no_thread(tmp_path: Path) -> None:
    sources = only_clip([write_clip(tmp_path / "a.mp4", plain_frames(60))]).sources()
    next(sources)
    sources.close()
    for thread in [t for t in threading.enumerate() if t.name.startswith("sapiens-decode")]:
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.parametrize("pattern", ["plate.%04d.png", "plate.####.png", "plate.%d.png"])
def test_pattern__numbers_are_the_files(pattern: str, tmp_path: Path) -> None:
    names = ["plate.1001.png", "plate.1002.png", "plate.1003.png", "plate.1005.png"]
    pictures(tmp_path / "shot", [*names, "plate.1002.jpg", "other.1004.png"])
    found = find_sources([str(tmp_path / "shot" / pattern)], fps=50)
    (clip,) = found.clips
    good, bad = frames_of(clip)
    assert bad == []
    assert [name for name, _ in good] == [n.removesuffix(".png") for n in names]
    assert [(f.index, f.time_s) for _, f in good] == [(1001, 0.0), (1002, 0.02), (1003, 0.04), (1005, 0.08)]
    assert found.notes == [f"{tmp_path / 'shot' / pattern}: 1 of the numbers from 1001 to 1005 have no picture"]
    assert output_stems(found.sources, found.bases) == [Path("plate")]
    assert float(clip.timing().rate) == 50


def test_pattern__frames_are_file_numbers(tmp_path: Path) -> None:
    pictures(tmp_path, [f"p_{n:03d}.png" for n in range(10, 20)])
    clip = only_clip([tmp_path / "p_%03d.png"], frames=FrameRange(12, 18, 2))
    assert [f.index for _, f in frames_of(clip)[0]] == [12, 14, 16]
    assert clip.count == 3


@pytest.mark.parametrize(
    ("given", "frames", "message"),
    [
        pytest.param("none.%04d.png", None, "no file matches this pattern of numbered pictures", id="no file"),
        pytest.param("p.%04d.png", FrameRange(90), "no picture within 90::1; they are numbered 1 to 3", id="range"),
    ],
)
def test_pattern__nothing_there_is_one_failure(given: str, frames, message: str, tmp_path: Path) -> None:
    pictures(tmp_path, [f"p.{n:04d}.png" for n in (1, 2, 3)])
    ok = str(write_clip(tmp_path / "in/a.mp4", plain_frames(99)))
    found = find_sources([str(tmp_path / given), ok], frames=frames)
    assert len(found.sources) == 2
    with pytest.raises(InputError, match=message):
        found.sources[0].read()


def test_pattern__a_damaged_frame_fails_alone(tmp_path: Path) -> None:
    paths = pictures(tmp_path, [f"p.{n:04d}.png" for n in range(5)])
    paths[2].write_bytes(b"damaged")
    good, bad = frames_of(only_clip([tmp_path / "p.%04d.png"]))
    assert [f.index for _, f in good] == [0, 1, 3, 4]
    assert len(bad) == 1
    assert str(paths[2]) in bad[0]


def test_pattern__exr(tmp_path: Path) -> None:
    for n in (1, 2):
        rgba = np.full((8, 9, 4), 0.18 * n, np.float32)
        write_exr(tmp_path / f"plate.{n:04d}.exr", rgba)
    good, bad = frames_of(only_clip([tmp_path / "plate.%04d.exr"]))
    assert bad == []
    assert [int(f.image[0, 0, 0]) for _, f in good] == [118, 162]


def test_sequence__folder_glob_and_list_of_files(tmp_path: Path) -> None:
    paths = pictures(tmp_path / "sc01.v2", [f"f{n}.png" for n in range(1, 6)])
    for inputs in ([tmp_path / "sc01.v2"], [tmp_path / "sc01.v2" / "*.png"], paths):
        found = find_sources([str(i) for i in inputs], sequence=True)
        assert len(found.clips) == len(found.sources) == 1
        good, _ = frames_of(found.clips[0])
        assert [f.index for _, f in good] == [1, 2, 3, 4, 5]
        assert output_stems(found.sources, found.bases)[0].name == "sc01.v2"


def test_sequence__two_folders_are_two_clips(tmp_path: Path) -> None:
    for name in "ab":
        pictures(tmp_path / name, ["x.png", "y.png"])
    found = find_sources([str(tmp_path / "a"), str(tmp_path / "b")], sequence=True)
    assert [clip.count for clip in found.clips] == [2, 2]
    assert [f.index for _, f in frames_of(found.clips[0])[0]] == [0, 1]
    assert output_stems(found.sources, found.bases) == [Path("a"), Path("b")]


def test_folder__clips_beside_pictures(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png"])
    write_clip(tmp_path / "b.mp4", plain_frames(3))
    (tmp_path / "notes.txt").write_text("x")
    found = find_sources([str(tmp_path)])
    assert [s.id for s in found.sources] == [str(tmp_path / "a.png"), str(tmp_path / "b.mp4")]
    assert len(found.clips) == 1
    assert found.skipped == [tmp_path / "notes.txt"]


def test_names__clip_and_picture_of_one_name_do_not_collide(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png"])
    write_clip(tmp_path / "a.mp4", plain_frames(3))
    found = find_sources([str(tmp_path / "a.png"), str(tmp_path / "a.mp4")])
    assert output_stems(found.sources, found.bases) == [Path("a.png"), Path("a.mp4")]


def test_beside__a_sequence_guards_its_own_folder(tmp_path: Path) -> None:
    pictures(tmp_path / "shot", ["p.1.png"])
    found = find_sources([str(tmp_path / "shot/p.%d.png")])
    with pytest.raises(InputError, match="beside the input"):
        check_beside([tmp_path / "shot"], found.sources)
    check_beside([tmp_path], found.sources)


@pytest.mark.parametrize(
    ("address", "shown", "name", "live"),
    [
        ("rtsp://user:secret@10.0.0.5:554/live", "rtsp://user:***@10.0.0.5:554/live", "live", True),
        ("http://host/clips/a.mp4?token=1", "http://host/clips/a.mp4?token=1", "a.mp4", False),
        ("rtsp://camera", "rtsp://camera", "camera", True),
    ],
)
def test_address__password_is_hidden(address: str, shown: str, name: str, live: bool) -> None:
    clip = network_stream(address)
    assert (clip.id, str(clip.label), clip.live) == (shown, name, live)


def test_address__unreachable_is_one_failure_without_the_password() -> None:
    good, bad = frames_of(only_clip(["rtsp://me:secret@127.0.0.1:9/x"]))
    assert good == []
    assert len(bad) == 1
    assert "no clip that FFmpeg can open" in bad[0]
    assert "secret" not in bad[0]


def test_camera__by_number_and_by_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert only_clip(["camera:2"]).id == "camera:2"
    assert only_clip(["0"]).id == "camera:0"
    pictures(tmp_path, ["x.png"])
    (tmp_path / "x.png").rename(tmp_path / "0")
    assert find_sources(["0"]).clips == []


def test_frames__refused_where_there_is_no_clip(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png"])
    with pytest.raises(InputError, match="there is no clip among the inputs"):
        find_sources([str(tmp_path / "a.png")], frames=FrameRange(1))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_fps__must_be_a_rate(fps: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a positive number of frames per second"):
        find_sources([str(tmp_path)], fps=fps)


def test_skip__frames_that_are_done_are_not_decoded_again(tmp_path: Path) -> None:
    import dataclasses

    clip = only_clip([write_clip(tmp_path / "a.mp4", plain_frames(5))])
    rest = dataclasses.replace(clip, skip=frozenset({"a.000001", "a.000003"}))
    assert [f.index for _, f in frames_of(rest)[0]] == [0, 2, 4]
