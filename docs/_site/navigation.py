"""The site's navigation is docs/index.md itself: a heading is a group, each link of its list is a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_GROUP = re.compile(r"^## (.+)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
_PAGE = re.compile(r"^ *- \[([^\]]+)\]\(([^)#]+)\.md\)", re.MULTILINE)


def groups(index: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups of the home page's text, in order: title, and its pages as (title, name without ".md")."""
    found = [(title, _PAGE.findall(body)) for title, body in _GROUP.findall(index)]
    return [(title, pages) for title, pages in found if pages]


def toctrees(index: str) -> str:
    """The same as hidden tables of contents, from which Sphinx makes the side bar and "next"."""
    return "".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *entries(pages), "```", ""])
        for title, pages in groups(index)
    )


def entries(pages: list[tuple[str, str]]) -> list[str]:
    """Lines of a table of contents."""
    return [f"{title} <{name}>" for title, name in pages]


def _add(app: Sphinx, name: str, source: list[str]) -> None:
    if name == "index":
        source[0] += toctrees(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _add)
    return {"parallel_read_safe": True}
