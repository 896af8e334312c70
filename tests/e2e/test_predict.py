"""`sapiens predict` as a user runs it: inputs of every kind, names, bad input, exit codes. Nano networks, untrained."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import sapiens_cli
from helpers_pictures import bare_png
from PIL import Image
from safetensors.torch import save_file

import sapiens
from sapiens.tasks import TASKS

NANO = ["--size", "nano", "--weights", "untrained", "--device", "cpu"]


def save(path: Path, height: int = 24, width: int = 18, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)).save(path)
    return path


def written(out: Path) -> list[str]:
    """Files below a folder, but for the manifest, which every run writes."""
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != "manifest.jsonl")


def test_predict__one_file(tmp_path: Path) -> None:
    result = sapiens_cli("predict", "seg", save(tmp_path / "in/photo.png"), "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out") == ["seg/photo.npz", "seg/photo.png"]
    assert result.stdout == ""
    with Image.open(tmp_path / "out/seg/photo.png") as drawn:
        assert drawn.size == (18, 24)
    assert sapiens.load_result(tmp_path / "out/seg/photo.npz").labels.shape == (24, 18)


def test_predict__several_tasks_one_pass(tmp_path: Path) -> None:
    photo = save(tmp_path / "in/photo.png")
    result = sapiens_cli(
        "predict", "seg,normal,pose", photo, "-o", tmp_path / "out", "--whole-image", "--save", "npz", *NANO
    )
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out") == ["normal/photo.npz", "pose/photo.npz", "seg/photo.npz"]


def test_predict__folder_recursive_keeps_folders_and_names(tmp_path: Path) -> None:
    for name in ("a/x.jpg", "b/x.jpg", "b/plate.0001.png", "b/plate.0002.png", "b/y.jpg", "b/y.png"):
        save(tmp_path / "in" / name)
    (tmp_path / "in/notes.md").write_text("no picture")
    result = sapiens_cli("predict", "seg", tmp_path / "in", "-r", "-o", tmp_path / "out", "--save", "picture", *NANO)
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out/seg") == [
        "a/x.png", "b/plate.0001.png", "b/plate.0002.png", "b/x.png", "b/y.jpg.png", "b/y.png.png",
    ]  # fmt: skip
    assert "1 files in the input folders are not pictures" in result.stderr


def test_predict__folder_alone_does_not_descend(tmp_path: Path) -> None:
    save(tmp_path / "in/x.jpg")
    save(tmp_path / "in/deep/y.jpg")
    sapiens_cli("predict", "seg", tmp_path / "in", "-o", tmp_path / "out", "--save", "npz", *NANO)
    assert written(tmp_path / "out") == ["seg/x.npz"]


def test_predict__glob_list_and_stdin(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"in/{n}.png", seed=n) for n in range(3)]
    (tmp_path / "list.txt").write_text(f"{paths[0]}\n\n{paths[1]}\n")
    for name, inputs, stdin, count in [
        ("glob", [tmp_path / "in" / "*.png"], None, 3),
        ("list", [tmp_path / "list.txt"], None, 2),
        ("paths", ["-"], f"{paths[2]}\n".encode(), 1),
        ("bytes", ["-"], paths[2].read_bytes(), 1),
    ]:
        out = tmp_path / "out" / name
        result = sapiens_cli("predict", "seg", *inputs, "-o", out, "--save", "npz", *NANO, stdin=stdin)
        assert result.exit_code == 0, result.output
        assert len(written(out)) == count, name


def test_predict__bad_inputs_are_listed_last_and_the_rest_is_done(tmp_path: Path) -> None:
    good = [save(tmp_path / f"in/{n}.png") for n in ("good1", "good2")]
    huge = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    good.append(save(tmp_path / "in/one.png", 1, 1))
    bad = {
        "text.jpg": b"hello",
        "empty.png": b"",
        "zero.png": bare_png(0, 5),
        "cut.png": good[0].read_bytes()[:-400],
        "huge.png": huge.getvalue(),
    }
    for name, data in bad.items():
        (tmp_path / "in" / name).write_bytes(data)
    missing = tmp_path / "missing.jpg"
    result = sapiens_cli("predict", "seg", tmp_path / "in", missing, "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    done = [n for n in written(tmp_path / "out") if n.endswith(".npz")]
    assert done == ["seg/in/good1.npz", "seg/in/good2.npz", "seg/in/one.npz"]
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 6
    for name in [*bad, "missing.jpg"]:
        assert sum(name in line for line in errors) == 1
    lines = result.stderr.splitlines()
    assert lines[-1] == "failed: 6 of 9 pictures"
    assert next(i for i, line in enumerate(lines) if line.startswith("done:")) < lines.index(errors[0])


@pytest.mark.parametrize("task", TASKS)
def test_predict__nan_from_the_network_is_one_line_and_no_file(task: str, tmp_path: Path) -> None:
    model = sapiens.load(task, "nano", weights="untrained", device="cpu").model
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tensors["backbone.patch_embed.projection.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "nan.safetensors")
    photos = [save(tmp_path / f"{n}.png") for n in "ab"]
    whole = ["--whole-image"] if task == "pose" else []
    arguments = ["--size", "nano", "--weights", tmp_path / "nan.safetensors", "--device", "cpu", *whole]
    result = sapiens_cli("predict", task, *photos, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert errors == [
        f"error: {photo}: the {task} network produced NaN or Inf in float32; nothing is written for it"
        for photo in photos
    ]
    assert written(tmp_path / "out") == []


def test_predict__json_lines(tmp_path: Path) -> None:
    photo = save(tmp_path / "in/photo.png")
    missing = tmp_path / "in/none.png"
    result = sapiens_cli("predict", "seg", photo, missing, "-o", tmp_path / "out", "--json", *NANO)
    first, second = [json.loads(line) for line in result.stdout.splitlines()]
    assert (first["input"], first["status"], len(first["files"])) == (str(photo), "done", 2)
    assert (second["status"], "none.png" in second["error"]) == ("failed", True)
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([" ,", "x.png"], "no task in ' ,'", id="no task"),
        pytest.param(["seg", "x.png", "--save", ""], "no kind of output is asked for", id="nothing to write"),
        pytest.param(["segg", "x.png"], "unknown task 'segg'", id="unknown task"),
        pytest.param(["seg", "x.png", "--size", "1bb"], "unknown size '1bb'", id="unknown size"),
        pytest.param(["seg", "x.png", "--save", "gif"], "unknown kind of output 'gif'", id="unknown kind"),
        pytest.param(["seg", "x.png", "-O", "flip=1", *NANO], "unknown option 'flip'", id="unknown option"),
        pytest.param(["seg", "x.png", "--whole-image", *NANO], "are for pose", id="boxes for a dense task"),
        pytest.param(["seg,normal", "x.png", "--weights", "a.pth"], "say which task", id="weights for whom"),
        pytest.param(["seg", "x.png", "--mask", "nowhere", *NANO], "no such mask file or folder", id="mask folder"),
        pytest.param(["seg", "x.png", "--weights", "no.safetensors"], "no.safetensors", id="no such weights"),
    ],
)
def test_predict__bad_arguments_are_one_line(arguments: list[str], message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "x.png")
    result = sapiens_cli("predict", *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert message in result.shown
    assert len(result.shown.splitlines()) == 1
    assert [p for p in written(tmp_path) if p != "x.png"] == []


def test_predict__missing_and_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = sapiens_cli("predict", "seg", tmp_path / "empty", tmp_path / "gone/*.png", "-o", tmp_path / "o", *NANO)
    assert result.exit_code == 1
    assert "no pictures in this folder" in result.stderr
    assert "no file matches this pattern" in result.stderr


def test_predict__an_empty_list_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    for inputs, stdin in ((["-"], b""), ([tmp_path / "list.txt"], None)):
        result = sapiens_cli("predict", "seg", *inputs, "-o", tmp_path / "out", *NANO, stdin=stdin)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1] == "failed: 1 of 1 pictures"


def test_predict__never_writes_into_the_input_folder(tmp_path: Path) -> None:
    save(tmp_path / "in/x.png")
    result = sapiens_cli("predict", "seg", tmp_path / "in", "-o", tmp_path / "in/out", *NANO)
    assert result.exit_code == 1
    assert "lies inside the input folder" in result.shown
    assert written(tmp_path) == ["in/x.png"]


@pytest.mark.parametrize("save_kinds", ["picture", "picture,npz,labels"])
def test_predict__never_writes_over_an_input(save_kinds: str, tmp_path: Path, monkeypatch) -> None:
    """`seg/x.png` is what the result for `x` is called below the output folder `.`."""
    monkeypatch.chdir(tmp_path)
    before = save(tmp_path / "seg/x.png").read_bytes()
    for inputs in (["seg/x.png"], ["seg/*.png"], ["seg"]):
        result = sapiens_cli("predict", "seg", *inputs, "-o", ".", "--save", save_kinds, *NANO)
        assert result.exit_code == 1
        assert "input" in result.shown
    assert written(tmp_path) == ["seg/x.png"]
    assert (tmp_path / "seg/x.png").read_bytes() == before


def test_predict__output_that_is_a_file(tmp_path: Path) -> None:
    result = sapiens_cli("predict", "seg", save(tmp_path / "x.png"), "-o", tmp_path / "x.png", *NANO)
    assert result.exit_code == 1
    assert "cannot make this output folder" in result.shown


def test_predict__unwritable_output(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    if os.access(tmp_path / "out", os.W_OK):
        pytest.skip("this user may write anywhere")
    result = sapiens_cli("predict", "seg", save(tmp_path / "x.png"), "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert "not writable" in result.shown


def test_predict__nobody_in_the_boxes_file_is_an_empty_result_exit_0(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo.png")
    (tmp_path / "boxes.json").write_text(json.dumps({"photo.png": []}))
    result = sapiens_cli("predict", "pose", photo, "--boxes", tmp_path / "boxes.json", "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 0, result.output
    assert "no person found" in result.stderr
    assert len(sapiens.load_result(tmp_path / "out/pose/photo.npz").keypoints) == 0


def test_predict__pose_without_any_detector_is_said_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    photos = [save(tmp_path / f"{n}.png") for n in range(3)]
    result = sapiens_cli("predict", "pose", *photos, "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert result.shown.startswith("person detector")
    assert len(result.shown.splitlines()) == 1
    assert written(tmp_path / "out") == []


def test_predict__boxes_file_and_the_whole_picture_for_the_others(tmp_path: Path) -> None:
    photos = [save(tmp_path / f"{n}.png") for n in "ab"]
    (tmp_path / "boxes.json").write_text(json.dumps({"a.png": [[1, 2, 9, 12]]}))
    result = sapiens_cli(
        "predict", "pose", *photos, "--boxes", tmp_path / "boxes.json", "--whole-image", "-o", tmp_path / "out", *NANO
    )
    assert result.exit_code == 0, result.output
    boxes = [sapiens.load_result(tmp_path / f"out/pose/{n}.npz").boxes_xyxy.tolist() for n in "ab"]
    assert boxes == [[[1, 2, 9, 12]], [[0, 0, 17, 23]]]


def test_predict__a_box_that_cannot_be_cropped_names_its_picture(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo.png")
    (tmp_path / "boxes.json").write_text(json.dumps({"photo.png": [[0, 0, 1e9, 1e9]]}))
    result = sapiens_cli("predict", "pose", photo, "--boxes", tmp_path / "boxes.json", "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert f"error: {photo}: box (0, 0, 1e+09, 1e+09)" in result.stderr


def test_predict__mask_from_another_task_is_not_written_itself(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo.png")
    result = sapiens_cli("predict", "normal", photo, "--mask", "seg", "-o", tmp_path / "out", "--save", "npz", *NANO)
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out") == ["normal/photo.npz"]
    assert sapiens.load_result(tmp_path / "out/normal/photo.npz").mask.shape == (24, 18)


def test_predict__mask_from_a_task_named_after_the_one_that_uses_it(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo.png")
    common = ["predict", "normal,albedo,seg", photo, "--save", "npz", *NANO]
    result = sapiens_cli(*common, "--mask", "seg", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out") == ["albedo/photo.npz", "normal/photo.npz", "seg/photo.npz"]
    labels = sapiens.load_result(tmp_path / "out/seg/photo.npz").labels
    for task in ("normal", "albedo"):
        np.testing.assert_array_equal(sapiens.load_result(tmp_path / f"out/{task}/photo.npz").mask, labels > 0)


def test_predict__a_picture_without_a_mask_is_named(tmp_path: Path) -> None:
    photos = [save(tmp_path / f"in/{n}.png") for n in "ab"]
    save(tmp_path / "masks/a.png")
    result = sapiens_cli(
        "predict", "normal,albedo", *photos, "--mask", tmp_path / "masks", "-o", tmp_path / "out", *NANO
    )
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if "everything counts as foreground" in line]
    assert notes == [f"note: {photos[1]}: no mask in {tmp_path / 'masks'}: everything counts as foreground"]


def test_predict__masks_from_files(tmp_path: Path) -> None:
    photo = save(tmp_path / "in/photo.png")
    half = np.zeros((24, 18), np.uint8)
    half[:12] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(half).save(tmp_path / "masks/photo.png")
    common = ["predict", "normal", photo, "--save", "npz", *NANO]
    result = sapiens_cli(*common, "--mask", tmp_path / "masks", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(sapiens.load_result(tmp_path / "out/normal/photo.npz").mask, half > 0)
    result = sapiens_cli(*common, "--mask", tmp_path / "masks/photo.png", "-o", tmp_path / "out3")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(sapiens.load_result(tmp_path / "out3/normal/photo.npz").mask, half > 0)
    result = sapiens_cli(*common, "--mask", tmp_path / "in", "-o", tmp_path / "out2")
    assert result.exit_code == 1
    assert "keep masks in a folder of their own" in result.stderr


def test_predict__leaves_no_half_files_when_writing_fails(tmp_path: Path, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    result = sapiens_cli("predict", "seg", save(tmp_path / "in/x.png"), "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert written(tmp_path / "out") == []


def test_command__version_and_help_are_quick_to_load() -> None:
    """Neither torch nor OpenCV is loaded to print help: that is what makes it instant."""
    code = (
        "import sys; from sapiens.cli.main import app\n"
        "try: app(['predict', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'cv2', 'numpy', 'rich', 'PIL') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    assert "--recursive" in shown


def test_command__as_a_process_bad_task_exit_1() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sapiens.cli.main", "predict", "sek", "x.jpg", "-o", "o"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "hint: did you mean 'seg'?"
