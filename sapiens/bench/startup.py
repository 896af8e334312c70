"""How long `import sapiens` and `sapiens --help` take, in fresh interpreters, beside an empty one."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

from sapiens.bench.table import report

CASES = {
    "python alone": ["-c", "pass"],
    "import sapiens": ["-c", "import sapiens"],
    "sapiens --help": ["-m", "sapiens.cli.main", "--help"],
    "sapiens predict --help": ["-m", "sapiens.cli.main", "predict", "--help"],
}


def run(repeats: int = 5) -> dict[str, Any]:
    """Time each case `repeats` times, interleaved, after one warm-up; seconds are medians of whole processes."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for turn in range(repeats + 1):
        for name, arguments in CASES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            if turn:
                times[name].append(time.perf_counter() - start)
    base = statistics.median(times["python alone"])
    rows = [
        {
            "case": name,
            "ms": round(1e3 * statistics.median(values), 1),
            "ms above python": round(1e3 * (statistics.median(values) - base), 1),
        }
        for name, values in times.items()
    ]
    return report(
        f"start-up, whole processes, median of {repeats}",
        rows,
        ["aims: import under 30 ms above python, --help under 400 ms"],
    )
