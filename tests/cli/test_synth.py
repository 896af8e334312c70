import typer
from typer.testing import CliRunner

from sapiens.cli.synth import register
from sapiens.imaging.read import read_image


def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


def test_synth__writes_pictures_and_truth(tmp_path) -> None:
    outcome = CliRunner().invoke(app(), ["-n", "2", "-o", str(tmp_path / "out"), "--size", "64x48"])
    assert outcome.exit_code == 0, outcome.output
    assert len(outcome.output.split()) == 2
    assert read_image(tmp_path / "out" / "person_00001.png").shape == (64, 48, 3)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"person_00000_truth.npz", "person_00000_labels.png", "person_00000_normals.png"} <= names


def test_synth__clip(tmp_path) -> None:
    outcome = CliRunner().invoke(app(), ["-n", "3", "--clip", "-o", str(tmp_path), "--size", "32x32"])
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "frame_00002.png").exists()


def test_synth__bad_size(tmp_path) -> None:
    outcome = CliRunner().invoke(app(), ["--size", "big", "-o", str(tmp_path)])
    assert "expected HEIGHTxWIDTH" in str(outcome.exception)
