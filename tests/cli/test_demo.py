"""`sapiens demo`, with untrained nano networks in the place of the released ones."""

from pathlib import Path

import pytest
from command import sapiens_cli
from PIL import Image

import sapiens
from sapiens.cli import demo
from sapiens.tasks import TASKS


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch):
    """Makes the demo load untrained nano networks and take them for released ones or not."""

    def use(*, trained: bool) -> None:
        def predictor(name: str, size: str, *, offline: bool):
            return sapiens.load(name, "nano", weights="untrained", device="cpu"), trained

        monkeypatch.setattr(demo, "_predictor", predictor)

    return use


def test_demo__files_of_every_task_and_one_sheet(tmp_path: Path, stand_ins) -> None:
    stand_ins(trained=False)
    result = sapiens_cli("demo", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    sheets = [tmp_path / "out" / f"{name}_sheet.png" for name in ("contact", "procedural")]
    assert result.stdout.split() == [str(path) for path in sheets]
    for path in sheets:
        with Image.open(path) as sheet:
            assert min(sheet.size) > 500
    for task in TASKS:
        found = sapiens.load_result(tmp_path / f"out/{task}/astronaut.npz")
        assert (found.meta.task, found.meta.size_hw, found.meta.weights) == (task, (512, 512), "untrained")
        assert (tmp_path / f"out/{task}/astronaut.png").is_file()
        assert f"written to {tmp_path / 'out' / task}" in result.stderr
    assert len(sapiens.load_result(tmp_path / "out/pose/astronaut.npz").boxes_xyxy) == 1
    for name in ("pointmap_ply/astronaut.ply", "pointmap_glb/astronaut.glb", "pose_openpose/astronaut_keypoints.json"):
        assert (tmp_path / "out" / name).is_file()


@pytest.mark.parametrize("trained", [True, False])
def test_demo__says_plainly_what_is_nano(trained: bool, tmp_path: Path, stand_ins, monkeypatch) -> None:
    sheets = []

    def contact_sheet(panels, *, title: str, note: str, **layout) -> Image.Image:
        sheets.append((note, [small_print for _, small_print, _ in panels][1:]))
        return Image.new("RGB", (4, 3))

    monkeypatch.setattr("sapiens.drawing.sheet.contact_sheet", contact_sheet)
    stand_ins(trained=trained)
    result = sapiens_cli("demo", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    (note, panels), (procedural, _) = sheets
    assert len(panels) == len(TASKS)
    assert ("NANO" in note) is not trained
    assert ("NANO where" in result.stderr) is not trained
    assert all(("NANO" in panel) is not trained for panel in panels)
    assert "rendered by sapiens.synth" in procedural


def test_demo__a_photograph_that_is_none(tmp_path: Path, stand_ins) -> None:
    stand_ins(trained=False)
    (tmp_path / "x.jpg").write_bytes(b"hello")
    result = sapiens_cli("demo", "--photo", tmp_path / "x.jpg", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.shown.startswith(f"{tmp_path / 'x.jpg'}: not a picture")
