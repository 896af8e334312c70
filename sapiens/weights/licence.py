"""The licence notice of the released weights, shown once."""

from __future__ import annotations

from pathlib import Path

from sapiens import env

NOTICE = """\
The Sapiens2 weights are released by Meta under the Sapiens2 License, not under the licence of this software.
It restricts what they may be used for. Read it before you use them; by downloading you accept it:
https://github.com/facebookresearch/sapiens2/blob/main/LICENSE.md"""

_MARKER = ".sapiens2-license-shown"


def pending_notice(root: Path | None = None) -> str | None:
    """The notice, or None if it was shown before to whoever uses this checkpoint root."""
    return None if _marker(root).exists() else NOTICE


def mark_shown(root: Path | None = None) -> None:
    """Remember that the notice was shown."""
    marker = _marker(root)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"{NOTICE}\n")


def _marker(root: Path | None) -> Path:
    return (root or env.checkpoint_root()) / _MARKER
