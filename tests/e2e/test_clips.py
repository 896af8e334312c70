"""`sapiens predict` on clips, as a user runs it: kill it, resume it, stop it, feed it from a server."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command import sapiens_cli
from helpers_clips import plain_frames, write_clip
from helpers_rtsp import rtsp_camera
from PIL import Image

import sapiens
from sapiens.imaging import video
from sapiens.imaging.video import probe, read_video
from sapiens.synth import render_clip

NANO = ["--size", "nano", "--weights", "untrained", "--device", "cpu"]


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A short clip of two procedural people, with sound and uneven times."""
    clip = render_clip(1, 8, (96, 128), fps=10, people=(2, 2))
    images = clip.image.permute(0, 2, 3, 1).numpy()
    times = [0, 100, 200, 300, 450, 500, 600, 900]
    return write_clip(tmp_path_factory.mktemp("in") / "people.mp4", images, times_ms=times, sound=True)


def files(out: Path) -> list[str]:
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_predict__several_tasks_one_decode(people: Path, tmp_path: Path) -> None:
    result = sapiens_cli("predict", "pose,seg", people, "-o", tmp_path / "out", "--whole-image", *NANO)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == [
        "manifest.jsonl", "pose/people.jsonl", "pose/people.mp4", "seg/people.jsonl", "seg/people.mp4",
    ]  # fmt: skip
    for task in ("pose", "seg"):
        info = probe(tmp_path / "out" / task / "people.mp4")
        assert (info.size_hw, info.audio) == ((96, 128), True)
        got = [f.time_s for f in read_video(tmp_path / "out" / task / "people.mp4")]
        assert np.allclose(got, [f.time_s for f in read_video(people)], atol=1e-4)
    rows = lines(tmp_path / "out/pose/people.jsonl")
    assert [row["frame"] for row in rows] == list(range(8))
    assert all(row["people"][0]["id"] == 1 and len(row["people"][0]["keypoints"]) == 308 for row in rows)
    assert "8 frames" in result.stderr
    assert result.stderr.count("whole picture as one person") == 1


def test_predict__mattes_in_every_form(people: Path, tmp_path: Path) -> None:
    pytest.importorskip("OpenEXR")
    save = "prores,vp9,exr,cutout,parquet"
    result = sapiens_cli("predict", "matting", people, "-o", tmp_path / "o", "--frames", "2:6:2", "--save", save, *NANO)
    assert result.exit_code == 0, result.output
    numbers = ("000002", "000004")
    assert [f for f in files(tmp_path / "o") if f != "manifest.jsonl"] == [
        "matting/people.parquet",
        *[f"matting_cutout/people/people.{n}.png" for n in numbers],
        *[f"matting_exr/people/people.{n}.exr" for n in numbers],
        "matting_prores/people.mov",
        "matting_vp9/people.webm",
    ]
    for name in ("matting_prores/people.mov", "matting_vp9/people.webm"):
        assert [round(f.time_s, 2) for f in read_video(tmp_path / "o" / name)] == [0.0, 0.25]


def test_predict__side_by_side_is_twice_as_wide(people: Path, tmp_path: Path) -> None:
    arguments = ["--side-by-side", "--frames", ":3", "--save", "video"]
    result = sapiens_cli("predict", "seg", people, "-o", tmp_path / "out", *arguments, *NANO)
    assert result.exit_code == 0, result.output
    assert probe(tmp_path / "out/seg/people.mp4").size_hw == (96, 256)


def test_predict__numbered_plates_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in (1001, 1002, 1003):
        Image.fromarray(plain_frames(1)[0]).save(tmp_path / f"in/plate.{n}.png")
    result = sapiens_cli("predict", "matting", tmp_path / "in/plate.%04d.png", "-o", tmp_path / "out",
                         "--save", "alpha", *NANO)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == [
        "manifest.jsonl", *[f"matting_alpha/plate/plate.{n}.png" for n in (1001, 1002, 1003)],
    ]  # fmt: skip


def test_predict__smoothing_reports_and_subject_is_alone(people: Path, tmp_path: Path) -> None:
    boxes = {f"people.mp4:{n}": [[2, 2, 60, 94], [64, 2, 126, 94]] for n in range(8)}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    arguments = ["--boxes", tmp_path / "boxes.json", "--subject", "id:2", "--smooth", "--save", "jsonl"]
    result = sapiens_cli("predict", "pose", people, "-o", tmp_path / "out", *arguments, *NANO)
    assert result.exit_code == 0, result.output
    assert "smoothing: jitter" in result.stderr
    rows = lines(tmp_path / "out/pose/people.jsonl")
    assert [[p["id"] for p in row["people"]] for row in rows] == [[2]] * 8


def test_predict__no_people_for_the_whole_clip(people: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps({f"people.mp4:{n}": [] for n in range(8)}))
    result = sapiens_cli("predict", "pose", people, "-o", tmp_path / "out", "--boxes", tmp_path / "boxes.json",
                         "--save", "video,jsonl,parquet", *NANO)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr.count("no person found") == 1
    assert len(list(read_video(tmp_path / "out/pose/people.mp4"))) == 8
    assert [row["people"] for row in lines(tmp_path / "out/pose/people.jsonl")] == [[]] * 8


def test_predict__cut_off_clip_is_done_as_far_as_it_goes_exit_1(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8)
    data = write_clip(tmp_path / "a.mkv", noise).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    good = write_clip(tmp_path / "good.mp4", plain_frames(3))
    result = sapiens_cli("predict", "seg", tmp_path / "cut.mkv", good, "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert len(list(read_video(tmp_path / "out/seg/cut.mp4"))) > 10
    assert len(list(read_video(tmp_path / "out/seg/good.mp4"))) == 3
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "cut.mkv: it ends earlier than it announces" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["seg", "clip.mp4", "--frames", "x"], "frames 'x': expected START:STOP:STEP", id="frames"),
        pytest.param(["seg", "a.png", "--frames", "1:2"], "no clip among the inputs", id="frames of a picture"),
        pytest.param(["seg", "a.png", "--save", "video"], "video is a file for a whole clip", id="video of a picture"),
        pytest.param(["seg", "clip.mp4", "--save", "prores"], "unknown kind of output 'prores'", id="matte of seg"),
        pytest.param(["seg", "clip.mp4", "--smooth"], "have no keypoints", id="smooth seg"),
        pytest.param(["pose", "a.png", "--smooth", "--whole-image"], "--smooth is for clips", id="smooth a picture"),
        pytest.param(["seg", "clip.mp4", "--subject", "largest"], "are for pose", id="subject of seg"),
        pytest.param(["pose", "clip.mp4", "--subject", "me"], "expected all, largest, centre", id="subject"),
        pytest.param(["seg", "p.%04d.png", "--fps", "0"], "expected a positive number of frames", id="fps"),
    ],
)
def test_predict__bad_arguments_are_one_line(arguments: list[str], message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", plain_frames(2))
    Image.fromarray(plain_frames(1)[0]).save("a.png")
    result = sapiens_cli("predict", *arguments, "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert message in result.shown
    assert len(result.shown.splitlines()) == 1
    assert not (tmp_path / "out/manifest.jsonl").exists()


def test_predict__from_a_server(people: Path, tmp_path: Path) -> None:
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=people.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/people.mp4"
        result = sapiens_cli("predict", "seg", address, "-o", tmp_path / "out", "--save", "video", *NANO)
        server.shutdown()
    assert result.exit_code == 0, result.output
    assert probe(tmp_path / "out/seg/people.mp4").audio
    assert len(list(read_video(tmp_path / "out/seg/people.mp4"))) == 8


def test_predict__rtsp_camera_that_falls_silent_keeps_what_it_gave_exit_1(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(video, "TIMEOUT_S", 0.7)
    data = write_clip(tmp_path / "a.ts", plain_frames(12), codec="mpeg2video", options={"qmax": "2"}).read_bytes()
    with rtsp_camera(data, stays_open=threading.Event()) as address:
        result = sapiens_cli("predict", "seg", address, "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    rows = lines(tmp_path / "out/seg/live.jsonl")
    assert [row["frame"] for row in rows] == list(range(11))
    assert [f.time_s for f in read_video(tmp_path / "out/seg/live.mp4")] == pytest.approx(
        [row["time_s"] - rows[0]["time_s"] for row in rows], abs=1e-3
    )
    assert "it stopped (silent for 0.7 s); decoded: 11 frames" in result.stderr
    assert "secret" not in result.stderr + (tmp_path / "out/manifest.jsonl").read_text()


def test_predict__several_devices_one_output(people: Path, tmp_path: Path) -> None:
    arguments = ["predict", "pose", people, "--whole-image", "--save", "jsonl", *NANO[:4]]
    for name, devices in (("one", ["--device", "cpu"]), ("two", ["--devices", "cpu,cpu"])):
        result = sapiens_cli(*arguments, "-o", tmp_path / name, *devices)
        assert result.exit_code == 0, result.output
    one, two = ((tmp_path / name / "pose/people.jsonl").read_text() for name in ("one", "two"))
    assert one == two
    both = sapiens_cli(*arguments, "-o", tmp_path / "both", "--device", "cpu", "--devices", "0,1")
    assert "expected one of the two" in both.shown


def start(*arguments: object) -> subprocess.Popen:
    code = "from sapiens.cli.main import main; main()"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_for(path: Path, count: int, process: subprocess.Popen) -> None:
    """Until a file has so many lines."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and len(path.read_text().splitlines()) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path}: not {count} lines")


def many_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for n in range(count):
        Image.fromarray(plain_frames(1, 48, 64)[0]).save(folder / f"{n:03d}.png")
    return folder


def test_resume__after_a_kill_exactly_what_is_missing(tmp_path: Path) -> None:
    many_pictures(tmp_path / "in", 60)
    arguments = ["predict", "seg", tmp_path / "in", "-o", tmp_path / "out", *NANO]
    process = start(*arguments)
    wait_for(tmp_path / "out/manifest.jsonl", 7, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {line["input"]: line for line in map(json.loads, complete_lines(tmp_path / "out/manifest.jsonl"))}
    assert 7 <= len(before) < 60
    stamps = {name: (tmp_path / "out" / name).stat().st_mtime_ns for d in before.values() for name in d["files"]}
    result = sapiens_cli(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    assert f"{60 - len(before)} pictures" in result.stderr
    assert f"{len(before)} inputs done before" in result.stderr
    wanted = sorted([f"seg/{n:03d}.{suffix}" for n in range(60) for suffix in ("npz", "png")] + ["manifest.jsonl"])
    assert files(tmp_path / "out") == wanted
    assert all((tmp_path / "out" / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    for n in (0, 30, 59):
        assert sapiens.load_result(tmp_path / f"out/seg/{n:03d}.npz").labels.shape == (48, 64)
    assert len({line["input"] for line in lines(tmp_path / "out/manifest.jsonl")}) == 60


def test_resume__a_clip_killed_half_way_is_whole_in_the_end(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", np.tile(plain_frames(20, 48, 64), (4, 1, 1, 1)))
    arguments = ["predict", "seg", clip, "-o", tmp_path / "out", *NANO]
    process = start(*arguments)
    wait_for(tmp_path / "out/manifest.jsonl", 10, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = [name for name in files(tmp_path / "out") if Path(name).name.startswith(".")]
    assert left
    assert not (tmp_path / "out/seg/long.mp4").exists()
    result = sapiens_cli(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "out") == ["manifest.jsonl", "seg/long.jsonl", "seg/long.mp4"]
    assert len(list(read_video(tmp_path / "out/seg/long.mp4"))) == 80
    assert [row["frame"] for row in lines(tmp_path / "out/seg/long.jsonl")] == list(range(80))


def test_predict__camera_that_stops_keeps_what_it_gave_exit_1(tmp_path: Path, monkeypatch) -> None:
    class Camera:
        given = 0

        def __init__(self, number: int) -> None:
            return

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return True

        def read(self):
            self.given += 1
            time.sleep(0.01)
            return self.given <= 6, np.full((48, 64, 3), 90, np.uint8)

        def release(self) -> None:
            return

    monkeypatch.setattr("cv2.VideoCapture", Camera)
    result = sapiens_cli("predict", "seg", "camera:0", "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert "camera:0: the camera stopped after 6 frames" in result.stderr
    assert len(list(read_video(tmp_path / "out/seg/camera_0.mp4"))) == 6
    assert len(lines(tmp_path / "out/seg/camera_0.jsonl")) == 6


def test_predict__masks_of_frames_are_named_like_their_files(people: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for n in range(3):
        mask = np.zeros((96, 128), np.uint8)
        mask[:, : 20 * (n + 1)] = 255
        Image.fromarray(mask).save(tmp_path / f"masks/people.{n:06d}.png")
    result = sapiens_cli("predict", "normal", people, "-o", tmp_path / "out", "--frames", ":4", "--save", "npz",
                         "--mask", tmp_path / "masks", *NANO)  # fmt: skip
    assert result.exit_code == 0, result.output
    for n in range(3):
        saved = sapiens.load_result(tmp_path / f"out/normal/people/people.{n:06d}.npz")
        assert saved.mask.sum() == 96 * 20 * (n + 1)
    assert "(in 1 of 4 frames)" in result.stderr


def complete_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_resume__other_settings_say_which(people: Path, tmp_path: Path) -> None:
    arguments = ["predict", "seg", people, "-o", tmp_path / "out", "--save", "jsonl", *NANO]
    assert sapiens_cli(*arguments).exit_code == 0
    result = sapiens_cli(*arguments, "--resume", "--frames", "0:2")
    assert result.exit_code == 1
    assert 'frames was null, now "0:2:1"' in result.shown
    assert sapiens_cli(*arguments, "--resume").exit_code == 0


def test_resume__files_of_the_whole_run_hold_the_earlier_pictures_too(tmp_path: Path) -> None:
    many_pictures(tmp_path / "in", 3)
    arguments = ["predict", "pose", tmp_path / "in", "-o", tmp_path / "out", "--whole-image", *NANO]
    assert sapiens_cli(*arguments, "--save", "npz,coco").exit_code == 0
    wanted = json.loads((tmp_path / "out/pose/coco17_results.json").read_text())
    (tmp_path / "out/pose/001.npz").unlink()
    (tmp_path / "out/pose/coco17_results.json").unlink()
    result = sapiens_cli(*arguments, "--save", "npz,coco", "--resume")
    assert result.exit_code == 0, result.output
    assert "1 picture in" in result.stderr
    assert json.loads((tmp_path / "out/pose/coco17_results.json").read_text()) == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c__ends_at_once_keeps_what_is_finished_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", np.tile(plain_frames(20, 48, 64), (30, 1, 1, 1)))
    process = start("predict", "seg", clip, "-o", tmp_path / "out", *NANO)
    wait_for(tmp_path / "out/manifest.jsonl", 10, process)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    stderr = process.communicate(timeout=30)[1]
    assert time.monotonic() - begin < 10
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    done = len(list(read_video(tmp_path / "out/seg/long.mp4")))
    assert 5 <= done < 600
    assert len(lines(tmp_path / "out/seg/long.jsonl")) == done
    assert not any(Path(name).name.startswith(".") for name in files(tmp_path / "out"))


def test_stream__clip_in_three_lines(people: Path) -> None:
    pose = sapiens.load("pose", size="nano", weights="untrained")
    results = list(pose.stream(str(people), whole_image=True))
    assert [r.meta.frame for r in results] == list(range(8))
    assert [round(r.meta.time_s, 2) for r in results] == [0.0, 0.1, 0.2, 0.3, 0.45, 0.5, 0.6, 0.9]
    assert all(r.ids.tolist() == [1] for r in results)
    picked = list(pose.stream(people, whole_image=True, frames="2:7:2", smooth=True, subject="largest"))
    assert [r.meta.frame for r in picked] == [2, 4, 6]


def test_stream__iterables_may_be_clips_too(people: Path) -> None:
    seg = sapiens.load("seg", size="nano", weights="untrained")
    images = list(plain_frames(3))
    assert [r.meta.frame for r in seg.stream(images)] == [None] * 3
    results = list(seg.stream(images, sequence=True, fps=10))
    assert [(r.meta.frame, r.meta.time_s) for r in results] == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_stream__options_that_a_task_has_no_use_for() -> None:
    seg = sapiens.load("seg", size="nano", weights="untrained")
    for wrong in ({"smooth": True}, {"subject": "largest"}, {"detect_every": 2}, {"whole_image": True}):
        with pytest.raises(sapiens.SapiensError):
            next(seg.stream(list(plain_frames(1)), **wrong))
