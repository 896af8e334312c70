"""A task or backbone at a size: each way to run it in a process of its own, passes interleaved, beside the roofline.

Columns: load (until the network can be called), pre (picture to network input), backbone, head, network (both, and what
lies between), post (to the result), whole; x eager: network time beside the same modules run by torch as they are;
peak: memory of the process; error: relative, of what the head returns, beside eager float32 on the same weights.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sapiens.bench.contender import HALF, KINDS
from sapiens.bench.load import memory_of_the_machine
from sapiens.bench.roofline import Roofline, measure_roofline
from sapiens.bench.table import report
from sapiens.cpu.processor import computes_in
from sapiens.errors import InputError, UnknownNameError, WeightsError
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import build_model

BACKBONE = "backbone"
REFERENCE = "eager"
ROOM = 0.75
"""Share of the machine's memory that a file of weights may take; the rest is for what is computed."""


def run(
    subject: str, size: str, vs: Sequence[str], *, repeats: int = 3, batch: int = 1, workdir: Path | None = None
) -> dict[str, Any]:
    """Measure.

    Args:
        subject: a task, or "backbone".
        size: as `sapiens.load` takes it.
        vs: which to run besides float32 (on a GPU bfloat16): see `KINDS`; empty: those this machine is good at.
        repeats: timed passes of each, interleaved, after one that is not counted.
        batch: pictures in a pass.
        workdir: where the files of weights go; default a temporary folder.

    Returns:
        a report of medians.

    Raises:
        UnknownNameError: no such contender.
        InputError: a contender failed.
    """
    for kind in vs:
        if kind not in KINDS:
            raise UnknownNameError("contender", kind, KINDS)
    main = "bfloat16" if torch.cuda.is_available() else "float32"
    threads, remarks = torch.get_num_threads(), list[str]()
    kinds = _fitting(subject, size, list(dict.fromkeys([main, *(vs or _good()), REFERENCE])), remarks)
    main = kinds[0]
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = workdir or Path(scratch)
        files = _weights(subject, size, folder, kinds, remarks)
        found = {
            kind: stack.enter_context(_process(kind, subject, size, path, batch, threads))
            for kind, path in files.items()
        }
        passes: dict[str, list[dict[str, float]]] = {kind: [] for kind in found}
        rooflines: list[Roofline] = []
        for index in range(repeats + 1):
            if not torch.cuda.is_available() or index == repeats:
                rooflines.append(measure_roofline(size, batch, threads, _dtype([main])))
            for kind, contender in found.items():
                passes[kind].append(contender.ask("pass"))
        errors = _errors(found, Path(scratch))
        rows = [_row(kind, found[kind], passes, errors) for kind in found]
    roof = min(rooflines, key=lambda r: r.seconds)
    best = min(_time(p, "backbone" if subject != BACKBONE else "network") for p in passes[main][1:])
    remarks += [roof.text(best, main)]
    title = f"{subject} at {size}, {batch} pictures a pass, median of {repeats}, weights untrained"
    return report(title, rows, remarks)


def _good() -> list[str]:
    """What is worth comparing on this machine."""
    if torch.cuda.is_available():
        return ["float32", "compiled", "graph"]
    return ["int8", *(["bfloat16"] if computes_in("bfloat16") else [])]


class _Contender:
    """The other end of `sapiens.bench.contender`."""

    def __init__(self, kind: str, process: subprocess.Popen[str]) -> None:
        self.kind, self.process = kind, process
        self.load_s = self._answer()["load"]

    def ask(self, line: str) -> dict[str, float]:
        """Send a line, return what it says."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        # Libraries may print; answers are objects on a line of their own.
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, float] = json.loads(line)
                return answer
        raise InputError(f"{self.kind}: its process ended with code {self.process.wait()}; its last words are above")


@contextlib.contextmanager
def _process(kind: str, subject: str, size: str, path: Path, batch: int, threads: int) -> Iterator[_Contender]:
    command = [sys.executable, "-m", "sapiens.bench.contender", kind, subject, size, str(path), str(batch)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, str(threads)], **pipes) as process:
        try:
            yield _Contender(kind, process)
        finally:
            process.kill()


def _on_meta(subject: str, size: str) -> Any:
    """A network without data."""
    from sapiens.backbones.sizes import build_backbone

    if subject not in (*TASKS, BACKBONE):
        raise UnknownNameError("benchmark", subject, [*TASKS, BACKBONE])
    with torch.device("meta"):
        return build_backbone(size) if subject == BACKBONE else build_model(get_task(subject), size)


def _dtype(kinds: Sequence[str]) -> torch.dtype:
    """Of the weights: bfloat16 if nothing else is computed in."""
    return torch.bfloat16 if set(kinds) <= set(HALF) else torch.float32


def _fitting(subject: str, size: str, kinds: list[str], remarks: list[str]) -> list[str]:
    """Without those whose weights leave no room on the CPU; int8 is made of float32's."""
    numbers = sum(tensor.numel() for tensor in _on_meta(subject, size).state_dict().values())
    if torch.cuda.is_available() or 4 * numbers < ROOM * memory_of_the_machine():
        return kinds
    left = [kind for kind in kinds if kind in HALF]
    remarks.append(
        f"left out: {', '.join(k for k in kinds if k not in left)}; {4 * numbers / 1e9:.1f} GB of float32 leave no room"
    )
    if not left:
        raise InputError(f"{size}: {remarks[-1]}", "--vs bfloat16")
    return left


def _weights(subject: str, size: str, folder: Path, kinds: Sequence[str], remarks: list[str]) -> dict[str, Path]:
    """The file of weights of each contender; one that cannot have any is left out, with a remark."""
    from sapiens.backbones.sizes import get_size
    from sapiens.weights import untrained
    from sapiens.weights.transformers_folder import write_transformers

    folder.mkdir(parents=True, exist_ok=True)
    model = _on_meta(subject, size)
    untrained(model, dtype=_dtype(kinds))
    tensors = model.state_dict()
    own = folder / f"sapiens2_{get_size(size).name}_{'pretrain' if subject == BACKBONE else subject}.safetensors"
    save_file(tensors, own)
    files = dict.fromkeys(kinds, own)
    if "transformers" in kinds:
        try:
            files["transformers"] = write_transformers(folder / "hf", tensors, input_hw=get_size(size).input_hw)
        except WeightsError as error:
            del files["transformers"]
            remarks.append(f"transformers: {error.message}")
    return files


def _errors(found: dict[str, _Contender], folder: Path) -> dict[str, float]:
    """Relative L2 distance of the first output of each from that of eager float32."""
    if REFERENCE not in found:
        return {}
    outputs = {}
    for kind, contender in found.items():
        path = folder / f"raw_{kind}.safetensors"
        if contender.ask(f"raw {path}")["tensors"]:
            outputs[kind] = load_file(path)["0"].double()
    expected = outputs[REFERENCE]
    # transformers is given another picture for tasks: only its time can be compared there.
    alike = {kind: out for kind, out in outputs.items() if out.shape == expected.shape and kind != REFERENCE}
    return {kind: float((out - expected).norm() / expected.norm()) for kind, out in alike.items()}


def _time(one: dict[str, float], stage: str) -> float:
    return one.get(stage, one["network"])


def _row(
    kind: str, contender: _Contender, passes: dict[str, list[dict[str, float]]], errors: dict[str, float]
) -> dict[str, Any]:
    def median(which: str, stage: str) -> float | None:
        values = [one[stage] for one in passes.get(which, [])[1:] if stage in one]
        return statistics.median(values) if values else None

    def cell(stage: str, factor: float = 1) -> str:
        value = median(kind, stage)
        return "-" if value is None else f"{value * factor:.3g}"

    memory = contender.ask("done")
    own, eager = median(kind, "network"), median(REFERENCE, "network")
    assert own is not None
    return {
        "case": kind,
        "load s": f"{contender.load_s:.2g}",
        "pre ms": cell("pre", 1000),
        "backbone s": cell("backbone") if "backbone" in passes[kind][1] else cell("network"),
        "head s": cell("head"),
        "network s": cell("network"),
        "post ms": cell("post", 1000),
        "whole s": cell("whole"),
        "x eager": _ratio(own, eager),
        "head x eager": _ratio(median(kind, "head"), median(REFERENCE, "head")),
        "peak GB": round(memory["gpu" if memory["gpu"] else "host"] / 1e9, 2),
        "error": f"{errors[kind]:.1e}" if kind in errors and kind != "transformers" else "-",
    }


def _ratio(own: float | None, other: float | None) -> Any:
    return "-" if own is None or not other else round(own / other, 3)
