"""Run what the pages of the tasks say, and write what it prints into them; then draw their pictures anew.

python scripts/task_pages.py [--check]

A fence without a language holds commands, one marked `python` Python, and a fence marked `text` right below it what
they print. Everything of a page runs in order in one temporary folder, commands of ours in this process. With --check
nothing is written: the exit code is 1 if an output has another form (`form`) than the page shows.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / "start.md", *sorted((ROOT / "docs" / "tasks").glob("*.md"))]
ADDRESS = "http://127.0.0.1:7860"
"""Where `sapiens serve` listens by default; the pages show it."""
SHOWN = 4
"""Items of a list of JSON that a page shows."""

_BLOCK = re.compile(
    r"^```(?P<kind>|python)\n(?P<code>(?:(?!```).*\n)*)```\n\n```text\n(?P<output>(?:(?!```).*\n)*)```$", re.M
)


@dataclass
class Session:
    """A folder in which the blocks of one page run in order, with names that last, and a server to ask.

    Attributes:
        folder: the working folder.
        url: address of a running service, which stands in for `ADDRESS`.
    """

    folder: Path
    url: str
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, kind: str, code: str) -> str:
        """What a block prints, without machine paths and times.

        Raises:
            RuntimeError: a foreign command failed. Commands of ours may fail: pages show errors too.
        """
        lines = code.splitlines(keepends=True)
        with contextlib.chdir(self.folder):
            said = self._python(code) if kind == "python" else "".join(self._command(line.strip()) for line in lines)
        return tidy(said)

    def _python(self, code: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            exec(compile(code, "<page>", "exec"), self.names)
        return said.getvalue()

    def _command(self, line: str) -> str:
        words = line.split()
        if words[0] == "sapiens" and not set(line) & set("|>&;"):
            return self._sapiens(words[1:])
        plain = {**os.environ, "LC_ALL": "C"}  # `sort` sorts alike everywhere
        done = subprocess.run(line.replace(ADDRESS, self.url), shell=True, capture_output=True, text=True, env=plain)
        if done.returncode or done.stderr:
            raise RuntimeError(f"{line}: exit code {done.returncode}: {done.stderr}")
        return layout(json.loads(done.stdout)) + "\n" if done.stdout.startswith("{") else done.stdout

    def _sapiens(self, words: list[str]) -> str:
        from sapiens.cli.main import main

        said = io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["sapiens", *words]),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            contextlib.suppress(SystemExit),
        ):
            main()
        return said.getvalue()


def tidy(text: str) -> str:
    """Output without what differs from run to run: seconds, and digits that rounding changes in written-out floats."""
    text = re.sub(r" in \d+\.\d s\b", " in ... s", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def layout(value: Any, indent: str = "") -> str:
    """JSON as a page shows it: objects over several lines, lists in one; long lists and bytes are cut."""
    if isinstance(value, dict):
        inner = indent + "  "
        rows = [
            f'{inner}"{key}": {_bytes(below) if key == "base64" else layout(below, inner)}'
            for key, below in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list):
        return "[" + ", ".join([layout(v) for v in value[:SHOWN]] + ["..."] * (len(value) > SHOWN)) + "]"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 1
        else f"{value:.1f}"
        if isinstance(value, float)
        else json.dumps(value)
    )


def _bytes(text: str) -> str:
    return f'"{text[:12]}..."'


def form(text: str) -> str:
    """What stays of an output when the network is another one: its words, keys, names and shapes.

    Numbers with a point, exponents, fingerprints, bytes and whole numbers of four and more digits become "~".
    """
    text = re.sub(r'("weights": )"\w+"', r'\1"~"', text)
    text = re.sub(r'("base64": )"[^"]*"', r'\1"~"', text)
    text = re.sub(r"\s*-?(\d+\.\d*(e[-+]\d+)?|\d+e[-+]\d+|\bnull\b|\d{4,})", " ~", text)
    return re.sub(r"[ ~]*~", " ~", text)


def rewrite(page: str, session: Session) -> str:
    """The page with every output as it is now."""

    def renew(found: re.Match[str]) -> str:
        said = session.run(found["kind"], found["code"])
        return f"```{found['kind']}\n{found['code']}```\n\n```text\n{said}```"

    return _BLOCK.sub(renew, page)


@contextlib.contextmanager
def sessions() -> Iterator[Any]:
    """Gives a function from nothing to a fresh session; one server answers all of them."""
    from helpers_app import running

    with running() as client, contextlib.ExitStack() as folders:
        yield lambda: Session(Path(folders.enter_context(tempfile.TemporaryDirectory())), client.url)


def main(check: bool) -> int:
    """Rewrite the pages and their pictures, or say which pages are out of date."""
    old = 0
    with sessions() as fresh:
        for path in PAGES:
            page = path.read_text(encoding="utf-8")
            new = rewrite(page, fresh())
            if not check:
                path.write_text(new, encoding="utf-8")
            elif form(new) != form(page):
                print(f"{path.relative_to(ROOT)}: the commands print something else; run scripts/task_pages.py")
                old += 1
    if not check:
        from task_pictures import draw_all

        draw_all(ROOT / "docs" / "pictures")
    return int(old > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    sys.exit(main("--check" in sys.argv[1:]))
