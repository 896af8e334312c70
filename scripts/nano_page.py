"""Put nano's numbers into the docs: `sapiens evaluate --all --size nano --json FILE`, then `scripts/nano_page.py FILE`.

Keeps what the pages need in docs/nano/heldout.json, and fills from it the table of docs/nano.md and the last column of
the published results in docs/evaluation.md. Without FILE the pages are written anew from what is kept; `--check`
changes nothing and fails where they differ.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from filled_pages import fill

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs/nano/heldout.json"
SETS = ("one person", "one to four people")
# task, number, what it should reach on one person: a bound, or (factor, trivial answer)
ROWS: tuple[tuple[str, str, Any], ...] = (
    ("pose", "pck_box", None),
    ("pose", "pck_box_body", 0.65),
    ("pose", "nme", None),
    ("seg", "miou_common", 0.42),
    ("seg", "aacc", None),
    ("normal", "mean_deg", 20.0),
    ("pointmap", "l2_m", None),
    ("pointmap", "l2_aligned_m", (0.5, "mean map")),
    ("matting", "alpha_mae", 0.03),
    ("albedo", "mae", (0.6, "input")),
)
HIGH = ("pck_box", "pck_box_body", "miou_common", "aacc")
# first words of a row of the published table -> task, numbers, factor
PUBLISHED: dict[str, tuple[str, tuple[str, ...], float]] = {
    "pose AP / AR": ("pose", ("ap", "ar"), 100),
    "feet AP / AR": ("pose", ("ap_foot", "ar_foot"), 100),
    "face AP / AR": ("pose", ("ap_face", "ar_face"), 100),
    "left hand AP / AR": ("pose", ("ap_left_hand", "ar_left_hand"), 100),
    "right hand AP / AR": ("pose", ("ap_right_hand", "ar_right_hand"), 100),
    "seg mIoU": ("seg", ("miou",), 100),
    "seg mAcc": ("seg", ("macc",), 100),
    "normals mean": ("normal", ("mean_deg",), 1),
    "normals median": ("normal", ("median_deg",), 1),
    "normals below 5 ": ("normal", ("percent_below_5_deg",), 1),
    "normals below 11.25": ("normal", ("percent_below_11.25_deg",), 1),
    "normals below 30": ("normal", ("percent_below_30_deg",), 1),
    "albedo MAE": ("albedo", ("mae",), 1),
    "albedo RMSE": ("albedo", ("rmse",), 1),
    "albedo PSNR": ("albedo", ("psnr",), 1),
    "albedo SSIM": ("albedo", ("ssim",), 1),
    "albedo Grad-L1": ("albedo", ("grad_l1",), 1),
}


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    files = [Path(word) for word in arguments if word != "--check"]
    if files:
        KEPT.write_text(json.dumps(kept(json.loads(files[0].read_text(encoding="utf-8"))), indent=1) + "\n", "utf-8")
    numbers = json.loads(KEPT.read_text(encoding="utf-8"))
    pages = {
        ROOT / "docs/nano.md": lambda text: nano_table(text, numbers),
        ROOT / "docs/evaluation.md": lambda text: published_column(text, numbers),
    }
    return fill(pages, "docs/nano/heldout.json", "scripts/nano_page.py", check="--check" in arguments)


def kept(outcome: dict[str, Any]) -> dict[str, Any]:
    """Numbers of both sets and their trivial answers, without parts, pictures and times."""
    reports = {
        f"{report['task']}, {report['data']}": {
            "count": report["count"],
            "metrics": _plain(report["metrics"]),
            "trivial": {name: _plain(values) for name, values in report["trivial"].items()},
        }
        for report in outcome["reports"]
    }
    return {"machine": outcome["machine"], "weights": outcome["reports"][0]["weights"], "reports": reports}


def _plain(metrics: dict[str, float | None]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in metrics.items() if value is not None and "/" not in name}


def nano_table(text: str, numbers: dict[str, Any]) -> str:
    """docs/nano.md with its table."""
    counts = {report["count"] for report in numbers["reports"].values()}
    lines = [
        f"{max(counts)} pictures of each set; {numbers['machine']}; weights {numbers['weights']}.",
        "",
        "| task | number | one person | trivial | one to four people | trivial | aim, one person | |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(numbers["reports"], *row) for row in ROWS),
    ]
    whole = "\n".join(["<!-- numbers -->", *lines, "<!-- end -->"])
    return re.sub(r"<!-- numbers -->.*?<!-- end -->", lambda _: whole, text, flags=re.DOTALL)


def _row(reports: dict[str, Any], task: str, number: str, aim: Any) -> str:
    cells = [task, f"`{number}`"]
    for name in SETS:
        report = reports[f"{task}, {name}"]
        trivial = ", ".join(
            f"{way} {values[number]:.3g}" for way, values in report["trivial"].items() if number in values
        )
        cells += [f"**{report['metrics'][number]:.3g}**", trivial]
    one = reports[f"{task}, {SETS[0]}"]
    bound = one["trivial"][aim[1]][number] * aim[0] if isinstance(aim, tuple) else aim
    if bound is None:
        return f"| {' | '.join([*cells, '', ''])} |"
    value = one["metrics"][number]
    reached = value >= bound if number in HIGH else value <= bound
    shown = f"{aim[0]:g} x {aim[1]} = {bound:.3g}" if isinstance(aim, tuple) else f"{bound:g}"
    return f"| {' | '.join([*cells, shown, 'reached' if reached else 'missed'])} |"


def published_column(text: str, numbers: dict[str, Any]) -> str:
    """docs/evaluation.md with its last column."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        for start, (task, names, factor) in PUBLISHED.items():
            if line.startswith(f"| {start}"):
                metrics = numbers["reports"][f"{task}, {SETS[0]}"]["metrics"]
                own = " / ".join(f"{metrics[name] * factor:.3g}" for name in names)
                lines[index] = f"{line.rsplit('|', 2)[0].rstrip()} | {own} |"
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
