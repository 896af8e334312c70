"""What the scripts that fill pages share: write them, or say which are not what their numbers say."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def fill(pages: Mapping[Path, Callable[[str], str]], numbers: str, script: str, *, check: bool) -> int:
    """Write each page anew from its text; with `check` only compare.

    Args:
        pages: file -> its text as it is to what it should be.
        numbers, script: where the numbers are and what writes them, for the message.

    Returns:
        the exit code: 1 for a page that differs where it is only compared.
    """
    stale = []
    for path, make in pages.items():
        text = path.read_text(encoding="utf-8")
        new = make(text)
        if new != text:
            stale.append(path.name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if stale and check:
        sys.stderr.write(f"{', '.join(stale)}: not what {numbers} says: run {script}\n")
        return 1
    return 0
