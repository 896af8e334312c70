"""Links from a page to Markdown outside docs/ (README, CONTRIBUTING): on the site they fetch a copy of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LINK = re.compile(r"\]\((\.\./[^)#\s]+\.md)(?:#[^)\s]*)?\)")


def mark(text: str, page: Path, docs: Path) -> str:
    """The text with such links as MyST writes links to files; all others it follows by itself."""

    def renew(found: re.Match[str]) -> str:
        aim = (page.parent / found[1]).resolve()
        return found[0] if aim.is_relative_to(docs.resolve()) else f"](path:{found[1]})"

    return _LINK.sub(renew, text)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = mark(source[0], Path(app.env.doc2path(name)), Path(app.srcdir))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
