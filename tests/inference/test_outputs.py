"""Files of whole clips, the manifest, and going on after a stop; on the toy task and real encoders."""

import errno
import json
import os
import resource
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import level, plain_frames, write_clip
from PIL import Image
from toy import toy_predictor

from sapiens.errors import InputError
from sapiens.imaging.video import probe, read_video
from sapiens.inference.clips import iterable_clip
from sapiens.inference.engine import run
from sapiens.inference.exports import Writer
from sapiens.inference.manifest import Manifest, remove_left_overs
from sapiens.inference.naming import output_stems
from sapiens.inference.outputs import Outputs, still_to_do
from sapiens.inference.sources import Found, find_sources


class Run:
    """A run into a folder, as the command line makes it."""

    def __init__(self, out: Path, found: Found, kinds, *, resume: bool = False, settings=None, **changes) -> None:
        out.mkdir(exist_ok=True)
        self.predictor = toy_predictor(**changes)
        stems = output_stems(found.sources, found.bases)
        self.writer = Writer(out, stems, [self.predictor.task], kinds, clips=found.numbered_clips)
        self.manifest = Manifest(out, settings or {"size": "nano"}, {"toy": "abc"}, resume=resume)
        self.outcomes, self.items, self.found = [], [], found
        self.outputs = Outputs(self.writer, self.manifest, self.outcomes.append)

    def __call__(self, stop_after: int | None = None, by_frame: bool = False) -> "Run":
        todo = still_to_do(self.found.sources, self.writer, self.manifest, by_frame=by_frame)
        whole = False
        items = run(todo, [self.predictor], write=self.outputs.write, collect=self.outputs.collect)
        try:
            with closing(items):
                for item in items:
                    self.items.append((item.source.id, item.error.message if item.error else None))
                    if stop_after is not None and len(self.items) >= stop_after:
                        return self
            whole = True
        finally:
            self.outputs.close(whole=whole)
        return self


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def files(out: Path) -> list[str]:
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != "manifest.jsonl")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in/walk.mp4", plain_frames(12), times_ms=[40 * k + (k > 5) * 100 for k in range(12)])


def test_clip__video_and_rows_at_the_sources_times(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = Run(out, find_sources([str(clip)]), None)()
    assert files(out) == ["toy/walk.jsonl", "toy/walk.mp4"]
    before, after = list(read_video(clip)), list(read_video(out / "toy/walk.mp4"))
    assert [level(f.image) for f in after] == list(range(12))
    assert np.allclose([f.time_s for f in after], [f.time_s for f in before], atol=1e-4)
    rows = [json.loads(line) for line in (out / "toy/walk.jsonl").read_text().splitlines()]
    assert [r["frame"] for r in rows] == list(range(12))
    assert np.allclose([r["time_s"] for r in rows], [f.time_s for f in before])
    (outcome,) = made.outcomes
    assert (outcome.frames, outcome.failures, outcome.whole, len(outcome.files)) == (12, 0, True, 2)


def test_clip__files_per_frame_lie_in_its_folder(clip: Path, tmp_path: Path) -> None:
    Run(tmp_path / "out", find_sources([str(clip)]), ["picture", "parquet"])()
    assert files(tmp_path / "out") == ["toy/walk.parquet", *[f"toy/walk/walk.{n:06d}.png" for n in range(12)]]


def test_clips_and_pictures_in_one_run(clip: Path, tmp_path: Path) -> None:
    Image.fromarray(plain_frames(1)[0]).save(tmp_path / "in/photo.png")
    write_clip(tmp_path / "in/zoo.mp4", plain_frames(4, 40, 40))
    Run(tmp_path / "out", find_sources([str(tmp_path / "in")]), None)()
    assert files(tmp_path / "out") == [
        "toy/photo.npz", "toy/photo.png", "toy/walk.jsonl", "toy/walk.mp4", "toy/zoo.jsonl", "toy/zoo.mp4",
    ]  # fmt: skip
    assert probe(tmp_path / "out/toy/zoo.mp4").size_hw == (40, 40)
    inputs = [(Path(line["input"]).name, line.get("frames")) for line in lines(tmp_path / "out") if "frame" not in line]
    assert sorted(inputs, key=str) == [("photo.png", None), ("walk.mp4", 12), ("zoo.mp4", 4)]


def test_kinds__for_clips_where_there_is_none(tmp_path: Path) -> None:
    Image.fromarray(plain_frames(1)[0]).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="video is a file for a whole clip, and there is no clip"):
        Run(tmp_path / "out", find_sources([str(tmp_path / "photo.png")]), ["video", "npz"])
    with pytest.raises(InputError, match="unknown kind of output 'prores'"):
        Run(tmp_path / "out", find_sources([str(tmp_path / "photo.png")]), ["prores"])


def changing(sizes: list[tuple[int, int]]):
    return iterable_clip([np.full((*size, 3), 50, np.uint8) for size in sizes], 25.0)


def test_clip__frame_of_another_size_fails_for_the_video_alone(tmp_path: Path) -> None:
    found = Found(sources=[changing([(32, 48)] * 3 + [(32, 64)] * 2 + [(32, 48)] * 2)])
    made = Run(tmp_path / "out", found, ["video", "jsonl", "npz"])()
    errors = [message for _, message in made.items]
    assert [e is not None for e in errors] == [False] * 3 + [True] * 2 + [False] * 2
    assert "this frame is 64x32, the clip's first was 48x32" in errors[3]
    assert len(list(read_video(tmp_path / "out/toy/pictures.mp4"))) == 5
    assert len((tmp_path / "out/toy/pictures.jsonl").read_text().splitlines()) == 7
    assert len([f for f in files(tmp_path / "out") if f.endswith(".npz")]) == 7
    assert lines(tmp_path / "out")[-1]["outcome"] == "failed"


def test_clip__without_a_frame_writes_nothing_and_fails(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    made = Run(tmp_path / "out", find_sources([str(tmp_path / "empty.mp4")]), None)()
    assert len(made.items) == 1
    assert "no clip that FFmpeg can open" in made.items[0][1]
    assert files(tmp_path / "out") == []


def test_clip__cut_off_what_decodes_is_written(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    data = write_clip(tmp_path / "a.mkv", noise).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    made = Run(tmp_path / "out", find_sources([str(tmp_path / "cut.mkv")]), None)()
    good = [m for _, m in made.items if m is None]
    assert len(list(read_video(tmp_path / "out/toy/cut.mp4"))) == len(good) > 10
    assert "ends earlier than it announces" in made.items[-1][1]
    assert lines(tmp_path / "out")[-1]["error"] == made.items[-1][1]


def test_stop__what_there_is_of_a_clip_is_kept_but_not_called_done(clip: Path, tmp_path: Path) -> None:
    """As when a camera is ended by Ctrl-C."""
    out = tmp_path / "out"
    Run(out, find_sources([str(clip)]), None)(stop_after=5)
    video = list(read_video(out / "toy/walk.mp4"))
    rows = (out / "toy/walk.jsonl").read_text().splitlines()
    assert 5 <= len(video) <= 12
    assert len(rows) == len(video)
    assert lines(out)[-1]["outcome"] == "interrupted"
    made = Run(out, find_sources([str(clip)]), None, resume=True)()
    assert len(made.items) == 12


def test_full_disk__ends_the_run_and_leaves_no_half_file(clip: Path, tmp_path: Path, monkeypatch) -> None:
    from sapiens.imaging import video_write

    class FullWriter(video_write.VideoWriter):
        def write(self, image, time_s=None) -> None:
            if self.frames == 3:
                raise InputError("cannot be written (No space left on device)") from OSError(errno.ENOSPC, "full")
            super().write(image, time_s)

    monkeypatch.setattr("sapiens.inference.clip_exports.VideoWriter", FullWriter)
    made = Run(tmp_path / "out", find_sources([str(clip)]), ["video"])
    with pytest.raises(InputError, match="No space left"):
        made()
    assert len(made.items) == 3
    assert not any(name.startswith(".") for name in os.listdir(tmp_path / "out/toy"))


def test_broken_file__is_said_once_and_the_other_files_go_on(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out/toy/walk.mp4").mkdir(parents=True)  # a folder where the file should go
    made = Run(tmp_path / "out", find_sources([str(clip)]), ["video", "jsonl"])()
    assert len((tmp_path / "out/toy/walk.jsonl").read_text().splitlines()) == 12
    (outcome,) = made.outcomes
    assert outcome.failures == 1
    assert "cannot be written" in str(outcome.error)


def pictures(folder: Path, count: int) -> Found:
    folder.mkdir(exist_ok=True)
    for k in range(count):
        Image.fromarray(plain_frames(k + 1)[k]).save(folder / f"{k}.png")
    return find_sources([str(folder)])


def test_manifest__a_line_per_picture_holds_everything(tmp_path: Path) -> None:
    found = pictures(tmp_path / "in", 2)
    (tmp_path / "in/1.png").write_bytes(b"bad")
    Run(tmp_path / "out", found, None)()
    done, failed = sorted(lines(tmp_path / "out"), key=lambda line: line["outcome"])
    assert (done["outcome"], done["weights"], done["settings"]) == ("done", {"toy": "abc"}, {"size": "nano"})
    assert done["input"] == done["path"] == str(tmp_path / "in/0.png")
    assert done["files"] == ["toy/0.png", "toy/0.npz"]
    assert 0 < done["seconds"] < 60
    assert done["stamp"][0] == (tmp_path / "in/0.png").stat().st_size
    assert failed["outcome"] == "failed"
    assert "1.png" in failed["error"]
    assert failed["files"] == []


def names(made: Run) -> list[str]:
    return sorted(Path(source).name for source, _ in made.items)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        pytest.param(lambda tmp: None, [], id="nothing"),
        pytest.param(lambda tmp: (tmp / "out/toy/2.npz").unlink(), ["2.png"], id="a file is gone"),
        pytest.param(lambda tmp: Image.fromarray(plain_frames(9)[8]).save(tmp / "in/1.png"), ["1.png"], id="new input"),
        pytest.param(lambda tmp: os.utime(tmp / "in/3.png", (1, 1)), ["3.png"], id="input touched"),
        pytest.param(lambda tmp: Image.fromarray(plain_frames(1)[0]).save(tmp / "in/9.png"), ["9.png"], id="one more"),
        pytest.param(
            lambda tmp: (tmp / "out/manifest.jsonl").write_text(
                "".join(line + "\n" for line in (tmp / "out/manifest.jsonl").read_text().splitlines()[:-1])
                + '{"input": "half a li'
            ),
            None, id="killed in the middle of a line",
        ),
    ],
)  # fmt: skip
def test_resume__does_what_is_missing(change, again, tmp_path: Path) -> None:
    Run(tmp_path / "out", pictures(tmp_path / "in", 4), None)()
    change(tmp_path)
    found = find_sources([str(tmp_path / "in")])
    made = Run(tmp_path / "out", found, None, resume=True)()
    assert len(made.items) == 1 if again is None else names(made) == again
    assert Run(tmp_path / "out", find_sources([str(tmp_path / "in")]), None, resume=True)().items == []


def test_resume__failures_are_tried_again(tmp_path: Path) -> None:
    found = pictures(tmp_path / "in", 3)
    good = (tmp_path / "in/1.png").read_bytes()
    (tmp_path / "in/1.png").write_bytes(b"bad")
    Run(tmp_path / "out", found, None)()
    (tmp_path / "in/1.png").write_bytes(good)
    assert names(Run(tmp_path / "out", find_sources([str(tmp_path / "in")]), None, resume=True)()) == ["1.png"]


def test_resume__other_settings_are_an_error_that_says_which(tmp_path: Path) -> None:
    found = pictures(tmp_path / "in", 1)
    Run(tmp_path / "out", found, None, settings={"size": "nano", "frames": None})()
    with pytest.raises(InputError, match=r'size was "nano", now "1b"') as caught:
        Run(tmp_path / "out", found, None, resume=True, settings={"size": "1b", "frames": None})
    assert "frames" not in caught.value.message
    with pytest.raises(InputError, match=r'weights of toy was "abc", now "xyz"'):
        Manifest(tmp_path / "out", {"size": "nano", "frames": None}, {"toy": "xyz"}, resume=True)


def test_resume__a_file_that_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"a": 1}\n{"b": 2}\n')
    with pytest.raises(InputError, match="line 1 is none of a manifest"):
        Manifest(tmp_path, {}, {}, resume=True)


def test_no_resume__begins_the_manifest_anew(tmp_path: Path) -> None:
    found = pictures(tmp_path / "in", 2)
    for _ in range(2):
        Run(tmp_path / "out", found, None)()
        assert len(lines(tmp_path / "out")) == 2


def test_resume__clip_by_frame_where_frames_do_not_depend_on_each_other(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    Run(out, find_sources([str(clip)]), ["npz"])(stop_after=5)
    before = len([line for line in lines(out) if line.get("frame")])
    assert before >= 5
    made = Run(out, find_sources([str(clip)]), ["npz"], resume=True)(by_frame=True)
    assert len(made.items) == 12 - before
    assert len(files(out)) == 12
    assert Run(out, find_sources([str(clip)]), ["npz"], resume=True)(by_frame=True).items == []


def test_resume__finished_clips_are_left_alone(clip: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "in/other.mp4", plain_frames(6))
    inputs = [str(tmp_path / "in/other.mp4"), str(clip)]
    Run(tmp_path / "out", find_sources(inputs), None)(stop_after=9)
    made = Run(tmp_path / "out", find_sources(inputs), None, resume=True)()
    assert {source.rpartition(":")[0] for source, _ in made.items} == {str(clip)}
    assert files(tmp_path / "out") == ["toy/other.jsonl", "toy/other.mp4", "toy/walk.jsonl", "toy/walk.mp4"]


def test_left_overs__of_a_killed_run_are_removed(tmp_path: Path) -> None:
    for name in (f".{'a' * 32}.png", ".hidden", "x.png"):
        (tmp_path / name).write_text("")
    assert remove_left_overs([tmp_path, tmp_path / "missing"]) == 1
    assert sorted(os.listdir(tmp_path)) == [".hidden", "x.png"]


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.slow
def test_clip__memory_does_not_grow_with_its_length(tmp_path: Path) -> None:
    """10,000 frames through encoder, rows and manifest; kept, they would be 270 MB."""
    seen = []

    def frames():
        for n in range(10_000):
            if n in (2000, 9990):
                seen.append(resident_mb())
            yield np.full((96, 96, 3), n % 200, np.uint8)

    Run(tmp_path / "out", Found(sources=[iterable_clip(frames(), 25.0)]), ["video", "jsonl"])()
    assert len((tmp_path / "out/toy/pictures.jsonl").read_text().splitlines()) == 10_000
    assert seen[1] - seen[0] < 25
