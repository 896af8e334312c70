"""Put the tables of docs/performance/*.json into docs/performance.md, between the marks that name them.

A mark is `<!-- bench NAME -->`, and the table reaches to the next `<!-- end -->`. `--check` changes nothing and fails
where the page is not what the files say.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE, TABLES = ROOT / "docs/performance.md", ROOT / "docs/performance"
BLOCK = re.compile(r"(<!-- bench (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrite the page, or check it; returns the exit code."""
    text = PAGE.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda found: found[1] + table(found[2]) + found[3], text)
    if "--check" in sys.argv[1:]:
        if new != text:
            sys.stderr.write(
                "docs/performance.md differs from docs/performance/*.json: run scripts/performance_page.py\n"
            )
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


def table(name: str) -> str:
    """Title, machine, rows and remarks of a report, as Markdown."""
    outcome = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    names = list(dict.fromkeys(key for row in outcome["rows"] for key in row))
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    lines += [f"| {' | '.join(_cell(row.get(key, '')) for key in names)} |" for row in outcome["rows"]]
    head = f"{outcome['title']}; {outcome['machine']}; {outcome['date']}."
    remarks = [f"{remark[0].upper()}{remark[1:]}." for remark in outcome["remarks"]]
    return "\n".join(["", head, "", *lines, "", *(line for remark in remarks for line in (remark, ""))]) + "\n"


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
