"""The documentation site: its navigation, its links, its reference; the whole build is slow."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sapiens
from sapiens.tasks import TASKS, get_task

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.name != "index.md")


def load_part(name: str):
    """A module of the site; none needs Sphinx to be imported."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as readers of Markdown make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_navigation__has_every_page_once() -> None:
    found = [name for _, pages in load_part("navigation").groups((DOCS / "index.md").read_text()) for _, name in pages]
    assert sorted(found) == sorted(path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES)


def test_navigation__goes_by_goal() -> None:
    navigation = load_part("navigation")
    index = (DOCS / "index.md").read_text()
    titles = [title for title, _ in navigation.groups(index)]
    assert titles[:6] == ["Start here", "Tasks", "Video", "Serve", "Train", "Evaluate"]
    assert titles[-3:] == ["Concepts", "Reference", "Log"]
    assert navigation.toctrees(index).count("```{toctree}") == len(titles)


def test_navigation__a_heading_without_pages_is_no_group() -> None:
    index = "# Home\n\n## Words\n\nNone [here](x.md).\n\n## Two\n\n- [A](a.md)\n  - [B](b/c.md): more\n"
    assert load_part("navigation").groups(index) == [("Two", [("A", "a"), ("B", "b/c")])]


@pytest.mark.parametrize(
    ("case", "link", "marked"),
    [
        ("outside", "[a](../../README.md)", "[a](path:../../README.md)"),
        ("outside, at a heading", "[a](../../README.md#weights)", "[a](path:../../README.md)"),
        ("another page", "[a](../nano.md#how)", "[a](../nano.md#how)"),
        ("a file that is no page", "[a](../../LICENSE)", "[a](../../LICENSE)"),
    ],
)
def test_links__outside_of_docs_are_marked(case: str, link: str, marked: str) -> None:
    assert load_part("outside").mark(link, DOCS / "tasks" / "pose.md", DOCS) == marked, case


@pytest.mark.parametrize("page", [DOCS / "index.md", *PAGES], ids=lambda path: path.relative_to(DOCS).as_posix())
def test_links__files_and_headings_exist(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        aim = page.parent / target if target else page
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim), f"{target}#{anchor}"


def test_reference__has_every_public_name_and_result() -> None:
    text = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    names = [f"sapiens.{name}" for name in sapiens.__all__ if not name.startswith("_")]
    results = [f"{get_task(task).result.__module__}.{get_task(task).result.__name__}" for task in TASKS]
    assert [name for name in names + results if f":: {name}\n" not in text] == []


@pytest.mark.slow
def test_build__no_warning_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="`make docs` installs what builds the site")
    line = [
        sys.executable,
        "-m",
        "sphinx",
        "--fail-on-warning",
        "--quiet",
        "--builder",
        "html",
        DOCS,
        tmp_path / "site",
    ]
    done = subprocess.run([*map(str, line)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    built = [path for path in (tmp_path / "site").rglob("*") if path.suffix in (".html", ".css")]
    assert len(built) > len(PAGES)
    for path in built:
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+href=\"(?:https?:)?//", path.read_text()
        )
        assert not loaded, path
        assert path.suffix != ".css" or not re.findall(r"url\(['\"]?(?:https?:)?//|@import", path.read_text()), path
