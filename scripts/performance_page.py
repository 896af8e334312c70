"""Put the tables of docs/performance/*.json into the pages of docs/, between the marks that name them.

A mark is `<!-- bench NAME -->`, and the table reaches to the next `<!-- end -->`; "summary" is made of all comparisons
of backbones and tasks. `--check` changes nothing and fails where a page is not what the files say.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from filled_pages import fill

ROOT = Path(__file__).parents[1]
PAGES, TABLES = ("docs/performance.md", "docs/crops.md"), ROOT / "docs/performance"
BLOCK = re.compile(r"(<!-- bench (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrite the pages, or check them; returns the exit code."""
    pages = {ROOT / name: fill_marks for name in PAGES}
    return fill(pages, "docs/performance/*.json", "scripts/performance_page.py", check="--check" in sys.argv[1:])


def fill_marks(text: str) -> str:
    """A page with the tables that its marks name."""
    return BLOCK.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def table(name: str) -> str:
    """Title, machine, rows and remarks of a report, as Markdown."""
    if name == "summary":
        return summary()
    outcome = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    lines = _rows(outcome["rows"])
    head = f"{outcome['title']}; {outcome['machine']}; {outcome['date']}."
    remarks = [f"{remark[0].upper()}{remark[1:]}." for remark in outcome["remarks"]]
    return "\n".join(["", head, "", *lines, "", *(line for remark in remarks for line in (remark, ""))]) + "\n"


def summary() -> str:
    """Ratios of times within each comparison that has float32 in it."""
    rows = []
    for path in sorted(TABLES.glob("*.json"), key=lambda path: (not path.stem.startswith("backbone"), path.stem)):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        cases = {row.get("case"): row for row in outcome["rows"]}
        if "eager" not in cases:
            continue
        whole = {case: float(row["whole s"]) for case, row in cases.items()}
        own = whole["float32"]
        (roof,) = re.findall(r"which is (\d+) %", " ".join(outcome["remarks"]))
        rows.append(
            {
                "": path.stem.replace("_", " "),
                "backbone: % of the roofline": roof,
                "float32 / eager": own / whole["eager"],
                "head, float32 / eager": cases["float32"]["head x eager"],
                "float32 / transformers": own / whole["transformers"] if "transformers" in whole else "",
                "int8 / float32": whole["int8"] / own if "int8" in whole else "",
                "bfloat16 / float32": whole["bfloat16"] / own if "bfloat16" in whole else "",
            }
        )
    return "\n".join(["", *_rows(rows), ""]) + "\n"


def _rows(rows: list[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    return lines + [f"| {' | '.join(_cell(row.get(key, '')) for key in names)} |" for row in rows]


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
