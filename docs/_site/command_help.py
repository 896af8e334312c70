"""The directive `command-help`: every verb of `sapiens` with the help that the command itself prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from docutils import nodes
from docutils.parsers.rst import Directive

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WIDTH = 88


class CommandHelp(Directive):
    """A section per verb."""

    def run(self) -> list[nodes.Node]:
        """Sections with the help as literal text."""
        from sapiens.cli.main import app

        return [_section(self.state.document, *found) for found in verbs(typer.main.get_command(app), "sapiens")]


def verbs(command: Any, name: str) -> Iterator[tuple[str, str]]:
    """What is typed and what `--help` prints, of each command below a group."""
    for word, below in sorted(getattr(command, "commands", {}).items()):
        full = f"{name} {word}"
        if hasattr(below, "commands"):
            yield from verbs(below, full)
        else:
            yield full, below.get_help(typer.Context(below, info_name=full, terminal_width=WIDTH))


def _section(document: nodes.document, name: str, text: str) -> nodes.section:
    section = nodes.section(names=[nodes.fully_normalize_name(name)])
    section += nodes.title(text=name)
    section += nodes.literal_block(text, text, language="text")
    document.note_implicit_target(section, section)
    return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
