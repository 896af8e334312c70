"""Small repairs between our docstrings and Sphinx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.domains.python import PyObject

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_ARRAY = re.compile(r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?([\w.]+)\]\]")
_WRITTEN = re.compile(r"npt\.NDArray\[(?:np\.)?([\w.]+)\]")
_SEVERAL = re.compile(r"^(\s+\w+(?:, \w+)+):(?= )")


def _signature(app: Sphinx, kind: str, name: str, what: object, options: object, given: Any, returned: Any) -> Any:
    """Array types in one short form: NDArray[float32]."""
    return tuple(text and _WRITTEN.sub(_short, _ARRAY.sub(_short, text)) for text in (given, returned))


def _short(found: re.Match[str]) -> str:
    return f"NDArray[{found[1].removeprefix('numpy.').removeprefix('typing.')}]"


def _names(app: Sphinx, kind: str, name: str, what: object, options: object, lines: list[str]) -> None:
    """Fields described together ("frame, time_s: ..."): Sphinx takes a word before a space for a type."""
    lines[:] = [_SEVERAL.sub(lambda found: found[1].replace(", ", ",") + ":", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _names, priority=100)  # before napoleon
    for kind in PyObject.doc_field_types:
        if kind.name == "variable":
            kind.label = "Attributes"
    return {"parallel_read_safe": True}
