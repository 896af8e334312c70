"""What the pages of the tasks say runs, and prints what they show: the same words, keys, names and shapes."""

import dataclasses
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

from sapiens.tasks import TASKS, get_task

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"


def load_script():
    spec = importlib.util.spec_from_file_location("task_pages", ROOT / "scripts" / "task_pages.py")
    module = sys.modules["task_pages"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


@pytest.fixture(scope="module")
def fresh():
    with SCRIPT.sessions() as found:
        yield found


@pytest.mark.parametrize("path", SCRIPT.PAGES, ids=lambda path: path.stem)
def test_pages__print_what_they_show(path: Path, fresh) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the pages ask over HTTP with curl, which is not installed")
    page = path.read_text()
    assert SCRIPT.form(SCRIPT.rewrite(page, fresh())) == SCRIPT.form(page), "run python scripts/task_pages.py"


def test_pages__one_per_task_with_the_same_sections() -> None:
    sections = ["What it gives", "Conventions", "Command", "Python", "HTTP", "Limits", "Train it"]
    for task in TASKS:
        page = (ROOT / "docs" / "tasks" / f"{task}.md").read_text()
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == sections
        assert len(re.findall(r"^```text\n.+", page, re.MULTILINE)) >= 5
        assert f"(../pictures/{task}.jpg)" in page
        assert f"(../train/{task}.md)" in page
        assert f"sapiens train {task} " in page


@pytest.mark.parametrize("task", TASKS)
def test_pages__name_every_field_and_kind(task: str) -> None:
    page = (ROOT / "docs" / "tasks" / f"{task}.md").read_text()
    fields = {field.name for field in dataclasses.fields(get_task(task).result)} - {"meta", "image"}
    kinds = {*get_task(task).exports, *get_task(task).run_exports}
    assert {name for name in fields | kinds if f"`{name}`" not in page} == set()


def test_pictures__are_small_and_shown() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    pictures = sorted(PICTURES.iterdir())
    assert len(pictures) == len(TASKS) + 1
    for picture in pictures:
        assert picture.stat().st_size < 150_000
        assert f"pictures/{picture.name})" in pages


@pytest.mark.parametrize(
    ("case", "old", "new", "alike"),
    [
        ("another number", "at 12.5, 3.0\n", "at 7.25, 11.0\n", True),
        ("another sign", "[0.1, 0.2]", "[-0.1, 3e-05]", True),
        ("a number with less white space", "x  1.5", "x -1.5", True),
        ("another fingerprint", '"weights": "a756"', '"weights": "0b1c"', True),
        ("other bytes", '"base64": "AAAA..."', '"base64": "BQ==..."', True),
        ("another shape", "(1, 308, 2)", "(2, 308, 2)", False),
        ("another name", "out/a.png", "out/b.png", False),
        ("another key", '"scores": 0.5', '"score": 0.5', False),
        ("one line less", "a\nb\n", "a\n", False),
    ],
)
def test_form__keeps_what_does_not_depend_on_the_network(case: str, old: str, new: str, alike: bool) -> None:
    assert (SCRIPT.form(old) == SCRIPT.form(new)) is alike, case


def test_layout__cuts_lists_and_bytes() -> None:
    told = {"shape": [1, 2], "data": [[0.123456, 2.0, 3.0, 4.0, 5.0]], "base64": "A" * 100, "none": None}
    assert SCRIPT.layout(told).splitlines() == [
        "{",
        '  "shape": [1, 2],',
        '  "data": [[0.1235, 2.0, 3.0, 4.0, ...]],',
        '  "base64": "AAAAAAAAAAAA...",',
        '  "none": null',
        "}",
    ]


def test_session__a_foreign_command_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit code 2"):
        SCRIPT.Session(tmp_path, "").run("", "ls nowhere\n")
