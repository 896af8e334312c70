"""Output names keep the input's name and folder and never collide."""

import os
from pathlib import Path

import pytest

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.inference.item import Source
from sapiens.inference.naming import check_beside, check_output, output_stems


def never() -> Frame:
    raise AssertionError("naming reads nothing")


def stems(paths: list[str], bases: list[str] | None = None) -> list[str]:
    sources = [Source(p, never, Path(p)) for p in paths]
    folders = [Path(b) for b in bases] if bases is not None else [Path(p).parent for p in paths]
    return [s.as_posix() for s in output_stems(sources, folders)]


@pytest.mark.parametrize(
    ("paths", "bases", "expected"),
    [
        pytest.param(["photo.jpg"], None, ["photo"], id="one file"),
        pytest.param(["plate.0001.png", "plate.0002.png"], None, ["plate.0001", "plate.0002"], id="frame numbers"),
        pytest.param(["a/x.jpg", "b/x.jpg"], None, ["a/x", "b/x"], id="same name, two folders"),
        pytest.param(["in/x.jpg", "in/x.png"], None, ["x.jpg", "x.png"], id="differ by suffix alone"),
        pytest.param(["in/X.JPG", "in/x.png"], None, ["X.JPG", "x.png"], id="differ by case and suffix"),
        pytest.param(["x.jpg", "x.jpg"], None, ["x.jpg", "x.jpg_2"], id="same file twice"),
        pytest.param(["in/a/x.jpg", "in/y.jpg"], ["in"], ["a/x", "y"], id="folder, recursive"),
        pytest.param(["in/a/x.jpg"], ["in"], ["a/x"], id="folder whose pictures all lie deeper"),
        pytest.param(["/p/a/x.jpg", "/q/x.jpg"], None, ["p/a/x", "q/x"], id="far apart"),
        pytest.param(["archive.tar/x"], None, ["x"], id="no suffix"),
        pytest.param([], None, [], id="nothing"),
    ],
)
def test_output_stems(paths: list[str], bases: list[str] | None, expected: list[str]) -> None:
    assert stems(paths, bases) == expected


def test_output_stems__never_collide_on_a_hard_set() -> None:
    names = ["x.jpg", "x.png", "x.jpg.png", "X.jpg", "x", "x.jpg", "x_2.jpg", "x.jpg_2.png", "a/x.jpg"]
    got = stems(names)
    assert len({s.casefold() for s in got}) == len(names)


@pytest.mark.parametrize(("out", "refused"), [("in", True), ("in/out", True), ("out", False), ("in2", False)])
def test_check_output__not_inside_an_input_folder(tmp_path: Path, out: str, refused: bool) -> None:
    os.makedirs(tmp_path / "in")
    if refused:
        with pytest.raises(InputError, match="lies inside the input folder"):
            check_output(tmp_path / out, [tmp_path / "in"])
    else:
        assert check_output(tmp_path / out, [tmp_path / "in"]) is None


@pytest.mark.parametrize(
    ("written", "picture", "refused"),
    [
        pytest.param("out/seg", "in/x.png", False, id="elsewhere"),
        pytest.param("in/seg", "in/x.png", False, id="a folder below"),
        pytest.param("seg", "seg/x.png", True, id="a picture in a folder named like the task"),
        pytest.param("link/seg", "seg/x.png", True, id="the same folder by another name"),
    ],
)
def test_check_beside__never_in_the_folder_of_an_input(
    written: str, picture: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink(".", "link")
    sources = [Source(picture, never, Path(picture)), Source("memory", never)]
    if refused:
        with pytest.raises(InputError, match=f"beside the input {picture}"):
            check_beside([Path(written)], sources)
    else:
        assert check_beside([Path(written)], sources) is None
