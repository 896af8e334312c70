"""`sapiens predict --per-person` and `--tiles` as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import sapiens_cli
from helpers_pieces import noise, untrained
from PIL import Image

import sapiens

NANO = ["--size", "nano", "--weights", "untrained", "--device", "cpu", "--save", "npz"]
BOX = [30, 20, 70, 120]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    Image.fromarray(noise(200, 150)).save(tmp_path / "in/photo.png")
    return tmp_path / "in/photo.png"


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def arrays(path: Path) -> dict[str, np.ndarray]:
    return sapiens.load_result(path).arrays()


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_allclose(value.astype(float), second[name].astype(float), atol=1e-3)


def test_per_person__several_tasks_with_boxes_from_a_file(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps({"photo.png": [BOX]}))
    result = sapiens_cli(
        "predict", "pose,seg,albedo", photo, "-o", tmp_path / "out", "--per-person",
        "--boxes", tmp_path / "boxes.json", *NANO,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for task in ("seg", "albedo"):
        wanted = untrained(task)(noise(200, 150), [BOX], detail="people")
        assert_same(arrays(tmp_path / f"out/{task}/photo.npz"), wanted.arrays())
    assert len(arrays(tmp_path / "out/pose/photo.npz")["keypoints"]) == 1


def test_per_person__finds_people_itself_and_says_when_there_are_none(tmp_path: Path, photo: Path) -> None:
    grey = photo.with_name("grey.png")
    Image.new("RGB", (150, 200), (90, 90, 90)).save(grey)
    result = sapiens_cli(
        "predict", "normal", grey, "-o", tmp_path / "out", "--per-person", "--detector", "parts", *NANO
    )
    assert result.exit_code == 0, result.output
    found = sapiens.load_result(tmp_path / "out/normal/grey.npz")
    if "no person found" in found.meta.notes:
        plain = untrained("normal")(np.full((200, 150, 3), 90, np.uint8))
        np.testing.assert_allclose(found.normals, plain.normals, atol=1e-5)
    assert found.normals.shape == (200, 150, 3)


def test_tiles__manifest_records_them_and_resume_asks_for_the_same(tmp_path: Path, photo: Path) -> None:
    out = tmp_path / "out"
    result = sapiens_cli("predict", "matting", photo, "-o", out, "--tiles", *NANO)
    assert result.exit_code == 0, result.output
    assert_same(arrays(out / "matting/photo.npz"), untrained("matting", detail="tiles")(noise(200, 150)).arrays())
    assert [line["settings"]["detail"] for line in lines(out)] == ["tiles"]
    refused = sapiens_cli("predict", "matting", photo, "-o", out, "--resume", *NANO)
    assert refused.exit_code == 1
    assert 'detail was "tiles", now null' in refused.shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["pose", "--tiles"], "--tiles is for seg, normal", id="pose in tiles"),
        pytest.param(["pose", "--per-person"], "--per-person is for seg, normal", id="pose per person"),
        pytest.param(["seg", "--tiles", "--per-person"], "expected one of the two", id="both"),
        pytest.param(["seg", "--tiles", "--boxes", "b.json"], "are for pose", id="boxes with tiles"),
        pytest.param(["seg", "--per-person", "--whole-image"], "--whole-image is for pose", id="whole image"),
        pytest.param(["seg", "--tiles", "--compat", "reference"], "not the original's", id="reference"),
    ],
)
def test_refusals__one_clear_line(arguments, message, tmp_path: Path, photo: Path) -> None:
    result = sapiens_cli("predict", arguments[0], photo, *arguments[1:], "-o", tmp_path / "out", *NANO)
    assert result.exit_code == 1
    assert message in result.shown


def test_per_person__clip_with_people_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):
        Image.fromarray(noise(200, 150)).save(tmp_path / f"in/f.{k:04d}.png")
    (tmp_path / "boxes.json").write_text(json.dumps({f"f.{k:04d}.png": [[30 + k, 20, 70 + k, 120]] for k in range(3)}))
    result = sapiens_cli(
        "predict", "albedo", tmp_path / "in/f.%04d.png", "-o", tmp_path / "out", "--per-person",
        "--boxes", tmp_path / "boxes.json", *NANO,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    frames = [arrays(path)["albedo"] for path in sorted((tmp_path / "out").rglob("*.npz"))]
    assert len(frames) == 3
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame, frames[0])
