"""What docs/data.md and docs/train say about data runs on tiny data under the names that they use."""

import re
import shlex
from pathlib import Path

import pytest
from command import sapiens_cli
from datasets.tiny import MIXTURE

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "data.md", *sorted((DOCS / "train").glob("*.md"))]
TASKS = ("pose", "seg", "normal", "pointmap", "matting", "albedo")


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("sapiens data ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages__commands_run(fresh, monkeypatch, page) -> None:
    monkeypatch.chdir(fresh)
    assert len(commands(page)) >= 2
    for words in commands(page):
        outcome = sapiens_cli(*words)
        assert outcome.exit_code == 0, f"{words}: {outcome.stdout}{outcome.shown}"


def test_pages__python_runs_and_the_mixture_is_the_tested_one(made, monkeypatch, capsys) -> None:
    monkeypatch.chdir(made)
    (code,) = blocks(DOCS / "data.md", "python")
    exec(compile(code, "data.md", "exec"), {})
    assert "4 records for seg" in capsys.readouterr().out
    (mixture,) = blocks(DOCS / "data.md", "toml")
    assert mixture == f"# mix.toml\n{MIXTURE}"


@pytest.mark.parametrize("task", TASKS)
def test_pages__each_task_has_the_way_from_files_to_predictions(task) -> None:
    text = (DOCS / "train" / f"{task}.md").read_text()
    verbs = re.findall(r"^sapiens (\w+)", text, re.MULTILINE)
    assert list(dict.fromkeys(verbs)) == ["data", "train", "evaluate", "predict"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages__links_and_sections_exist(page) -> None:
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        headings = [h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)]
        assert not anchor or anchor in headings, anchor
