"""What the docs tell people to type exists: commands, options, Python."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from PIL import Image

import sapiens
from sapiens.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text()
        blocks = re.findall(r"```(?:\w*)\n(.*?)```", text, re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`(sapiens [^`]+)`", text)
        found += [(page.name, line) for line in lines if re.match(r"sapiens [a-z]+", line)]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_lines__verbs_and_options_exist(page: str, line: str) -> None:
    words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
    group = typer.main.get_command(app)
    assert words[1] in group.commands, f"{page}: {line}"
    known = {name for p in group.commands[words[1]].params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert {word.split("=")[0] for word in words[2:] if word.startswith("-") and word != "-"} <= known


def test_command_lines__there_are_some() -> None:
    assert len(commands()) > 10


def test_links__point_at_files() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme__first_python_block_runs(tmp_path: Path, monkeypatch) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    load = sapiens.load
    monkeypatch.setattr(sapiens, "load", lambda task, size: load(task, "nano", weights="untrained"), raising=False)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (60, 80), (200, 120, 90)).save("photo.jpg")
    exec(compile(block, "README.md", "exec"), {})
    with Image.open("parts.png") as drawn:
        assert drawn.size == (60, 80)


def test_readme__names_every_folder_of_the_package() -> None:
    text = (ROOT / "README.md").read_text()
    folders = [p.name for p in (ROOT / "sapiens").iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    assert [name for name in folders if f"  {name}/" not in text] == []
