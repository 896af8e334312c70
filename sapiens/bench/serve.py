"""How long `sapiens serve` takes to its address, and to the first result of every tab, in fresh processes."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from sapiens.bench.table import report
from sapiens.errors import InputError

TASKS = ("pose", "seg", "normal", "pointmap", "matting", "albedo", "features")
"""In the order of the tabs; the first is asked for as soon as the address is there."""
ADDRESS, BOTH = "start to address", f"start to first {TASKS[0]}"


def run(repeats: int = 5) -> dict[str, Any]:
    """Start a server and ask it for each task once, `repeats` times after one warm-up of the disk cache.

    Seconds of a task are those of its first request on that server: sending the page's example, the network, and
    reading the whole answer in JSON.
    """
    times: dict[str, list[float]] = {name: [] for name in (ADDRESS, BOTH, *TASKS)}
    loads, work = [], []
    for turn in range(repeats + 1):
        loads.append(os.getloadavg()[0])
        before = os.times()
        found = _once()
        after = os.times()
        if turn:
            work.append(after.children_user + after.children_system - before.children_user - before.children_system)
            for name, seconds in found.items():
                times[name].append(seconds)
    rows = [
        {
            "step": f"first {name}" if name in TASKS else name,
            "median s": round(statistics.median(values), 3),
            "worst s": round(max(values), 3),
        }
        for name, values in times.items()
    ]
    return report(
        f"the service with nano, {repeats} fresh processes",
        rows,
        [
            "aim: a first result within 2 s of the drop, whichever the tab",
            f"processor time of a whole process, start to end, whatever else runs: {statistics.median(work):.2f} s",
            f"other work on the machine: load average {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores",
        ],
    )


def _once() -> dict[str, float]:
    """Seconds of every step, on a server of its own that ends with it."""
    line = [sys.executable, "-m", "sapiens.cli.main", "serve", "--port", "0", "--size", "nano"]
    start = time.perf_counter()
    # A token in the environment would be asked for.
    environment = {name: value for name, value in os.environ.items() if name != "SAPIENS_TOKEN"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise InputError(f"sapiens serve ended: {process.communicate()[1].strip()}")
            found = {ADDRESS: time.perf_counter() - start}
            found |= {task: _ask(url, task) for task in TASKS}
            found[BOTH] = found[ADDRESS] + found[TASKS[0]]
        finally:
            process.terminate()
    return found


def _ask(url: str, task: str) -> float:
    """Seconds of one prediction, as the page asks for it."""
    picture = files("sapiens").joinpath("app", "static", "figures.webp").read_bytes()
    line = uuid.uuid4().hex
    head = f'--{line}\r\nContent-Disposition: form-data; name="image"; filename="figures.webp"\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{line}--\r\n".encode()
    request = urllib.request.Request(
        f"{url}v1/predict/{task}", body, {"Content-Type": f"multipart/form-data; boundary={line}"}
    )
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            response.read()
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{urlsplit(url).netloc}: {task}: no answer ({error})") from error
    return time.perf_counter() - start
