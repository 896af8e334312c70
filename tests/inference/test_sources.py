"""What users name as input; whatever cannot be read becomes one clear line, never a traceback, never silence."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from helpers_pictures import KINDS
from PIL import Image

from sapiens.errors import InputError
from sapiens.inference.sources import Found, find_sources

PNG = KINDS["png"]()


def failures(found: Found) -> list[str]:
    lines = []
    for source in found.sources:
        try:
            source.read()
        except InputError as error:
            lines.append(error.message)
    return lines


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(b"a.png\nb.png\n", ["a.png", "b.png"], id="lines"),
        pytest.param(b"\xef\xbb\xbfa.png\r\n\r\nb.png", ["a.png", "b.png"], id="byte order mark, Windows line ends"),
        pytest.param("caf\u00e9.png".encode(), ["caf\u00e9.png"], id="utf-8"),
        pytest.param(b"caf\xe9.png", [os.fsdecode(b"caf\xe9.png")], id="latin-1, as the name on disk is"),
    ],
)
def test_list__paths(content: bytes, names: list[str], here: Path) -> None:
    Path("list.txt").write_bytes(content)
    for name in names:
        Path(name).write_bytes(PNG)
    for found in (find_sources(["list.txt"]), find_sources(["-"], stdin=io.BytesIO(content))):
        assert [source.id for source in found.sources] == names
        assert failures(found) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty; expected", id="empty"),
        pytest.param(b" \n\n", "empty; expected", id="blank lines"),
        pytest.param(b"\0\1\2\xff", "expected", id="binary"),
    ],
)
def test_list__nothing_in_it_is_a_failure(content: bytes, message: str, here: Path) -> None:
    Path("list.txt").write_bytes(content)
    (line,) = failures(find_sources(["list.txt"]))
    assert line.startswith("list.txt: ")
    assert message in line
    (line,) = failures(find_sources(["-"], stdin=io.BytesIO(content)))
    assert line.startswith("stdin: ")
    assert "or a list of paths" in line


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_stdin__a_picture_of_any_kind(kind: str) -> None:
    (source,) = find_sources(["-"], stdin=io.BytesIO(KINDS[kind]())).sources
    assert source.read().id == "stdin"


def test_folder__links_to_nowhere_are_reported(here: Path) -> None:
    Path("in").mkdir()
    Path("in/good.png").write_bytes(PNG)
    Path("in/gone.png").symlink_to("nowhere.png")
    Path("in/.hidden.png").write_bytes(PNG)
    found = find_sources(["in"])
    assert [source.id for source in found.sources] == ["in/gone.png", "in/good.png"]
    assert failures(found) == ["in/gone.png: no such file or folder"]


def test_folder__order_is_that_of_paths(here: Path) -> None:
    for name in ("b/x.png", "a/y.png", "a.png", "c.png"):
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        Path("in", name).write_bytes(PNG)
    ids = [source.id for source in find_sources(["in"], recursive=True).sources]
    assert ids == [str(path) for path in sorted(map(Path, ids))]
    assert len(ids) == 4
    assert [source.id for source in find_sources(["in"]).sources] == ["in/a.png", "in/c.png"]


def test_glob__matches_without_a_picture_are_a_failure(here: Path) -> None:
    Path("notes.md").write_text("no picture")
    Path("deep").mkdir()
    assert failures(find_sources(["*.md"])) == ["*.md: none of the files that match this pattern is a picture"]
    assert failures(find_sources(["d*"])) == ["d*: no file matches this pattern"]


def test_file__wildcards_in_its_own_name(here: Path) -> None:
    Path("x[1].png").write_bytes(PNG)
    assert failures(find_sources(["x[1].png"])) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipe__is_refused_and_not_waited_for(here: Path) -> None:
    os.mkfifo("pipe.png")
    expected = "pipe.png: neither a file nor a folder; expected a picture file"
    assert failures(find_sources(["pipe.png"])) == [expected]
    assert failures(find_sources(["."])) == [expected]


def test_locked__files_folders_and_lists(here: Path) -> None:
    for name in ("in/good.png", "in/locked.png", "in/deep/x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(PNG)
    Path("list.txt").write_text("in/good.png\n")
    locked = [Path("in/locked.png"), Path("in/deep"), Path("list.txt")]
    for path in locked:
        path.chmod(0)
    try:
        if os.access(locked[0], os.R_OK):
            pytest.skip("this user may read anything")
        lines = failures(find_sources(["in", "list.txt", "in/deep/x.png", "in/deep"], recursive=True))
    finally:
        for path in locked:
            path.chmod(0o700)
    assert len(lines) == 5
    assert [line.partition(":")[0] for line in lines] == [
        "in/deep", "in/locked.png", "list.txt", "in/deep/x.png", "in/deep",
    ]  # fmt: skip
    assert all("cannot be read" in line for line in lines)


def test_memory__a_source_decodes_when_read_and_not_before(here: Path) -> None:
    found = find_sources(["later.png"])
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save("later.png")
    assert found.sources[0].read().size_hw == (2, 3)
