"""One way to run a network, in a process of its own that times a pass whenever it is told to.

    python -m sapiens.bench.contender KIND TASK SIZE WEIGHTS BATCH THREADS

Prints one JSON line when it is loaded, and one for every line on stdin: "pass" (seconds of each stage), "raw PATH"
(writes what the head returned; nothing is timed), "done" (peak memory).
"""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sapiens.bench.float8 import use_float8
from sapiens.bench.load import peak_memory
from sapiens.imaging.frame import Frame

PICTURE_HW = (1280, 960)
KINDS = ("float32", "int8", "bfloat16", "float16", "float8", "eager", "compiled", "graph", "transformers")
HALF = ("bfloat16", "compiled", "graph", "float8")
"""Kinds whose weights are bfloat16."""


def picture(size_hw: tuple[int, int] = PICTURE_HW) -> Any:
    """(H, W, 3) uint8, smooth and repeatable."""
    rows, cols = np.mgrid[: size_hw[0], : size_hw[1]] / 97
    waves = [np.sin(rows * f + cols * g) for f, g in ((1.0, 0.4), (0.3, 1.3), (0.8, -0.9))]
    return ((np.stack(waves, -1) + 1) * 127.5).astype(np.uint8)


class Contender(ABC):
    """What the timings share: stages, each ended by a synchronised device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds, self.raw = device, dict[str, float](), list[Tensor]()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of what is inside to a stage."""
        self._synchronise()
        start = time.perf_counter()
        yield
        self._synchronise()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def watch(self, model: Any) -> None:
        """Time the backbone and the head of a task model, and keep what the head returns."""
        for part in ("backbone", "decode_head"):
            layer, started = getattr(model, part), list[float]()

            def before(_: nn.Module, args: Any, started: list[float] = started) -> None:
                self._synchronise()
                started.append(time.perf_counter())

            def after(_: nn.Module, args: Any, out: Any, name: str = part, started: list[float] = started) -> None:
                self._synchronise()
                name = {"decode_head": "head"}.get(name, name)
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started.pop()
                if name == "head":
                    self.raw = [t for t in (out if isinstance(out, tuple) else (out,)) if t is not None]

            layer.register_forward_pre_hook(before)
            layer.register_forward_hook(after)

    @abstractmethod
    def run(self) -> None:
        """One pass over the batch."""


class Ours(Contender):
    """A task through `sapiens.load`, from the decoded picture to the result."""

    def __init__(self, kind: str, task: str, size: str, weights: str, batch: int) -> None:
        from sapiens.inference.predictor import load

        # The reference keeps torch's own layers: the same modules run eagerly.
        compat: Any = "reference" if kind == "eager" else "default"
        dtype = "float32" if kind in ("eager", "float32") else "bfloat16" if kind in HALF else kind
        options: dict[str, Any] = {"flip": False} if task == "pose" else {}
        self.predictor = load(task, size, weights=weights, dtype=dtype, compat=compat, batch_size=batch, **options)
        super().__init__(self.predictor.device)
        self.batch, self.top_down = batch, self.predictor.task.top_down
        network: Any = self.predictor.model
        _finish(kind, network, network.backbone)
        if kind not in MODES:
            self.watch(network)

    def run(self) -> None:
        from sapiens.inference.item import Item
        from sapiens.inference.predictor import picture_source
        from sapiens.tasks.base import People

        items = [Item(picture_source(picture(), index), index) for index in range(self.batch)]
        for item in items:
            item.frame = Frame(picture(), str(item.index))
            if self.top_down:
                height, width = PICTURE_HW
                box = np.array([[0, 0, width, height]], np.float32)
                item.people = People(box, np.ones(1, np.float32))
        with self.stage("pre"):
            for item in items:
                self.predictor.prepare(item)
        with self.stage("network"):
            raw = self.predictor.forward([item.prepared[0] for item in items])
        with self.stage("post"):
            for index, item in enumerate(items):
                item.raw = {name: tensor[index : index + 1].cpu() for name, tensor in raw.items()}
                self.predictor.finish(item)


class Bare(Contender):
    """A network alone: a backbone of ours, or a network of transformers."""

    def __init__(self, model: nn.Module, device: torch.device, batch: int, input_hw: tuple[int, int]) -> None:
        super().__init__(device)
        self.model = model.eval().requires_grad_(requires_grad=False)
        weight = next(model.parameters())
        generator = torch.Generator().manual_seed(0)
        self.image = torch.randn(batch, 3, *input_hw, generator=generator).to(device, weight.dtype)

    @torch.inference_mode()
    def run(self) -> None:
        with self.stage("network"):
            out = self.model(self.image)
        # transformers returns records.
        self.raw = [out[0]] if isinstance(out, tuple) else [next(t for t in out.values() if isinstance(t, Tensor))]


def make(kind: str, task: str, size: str, weights: str, batch: int) -> Contender:
    """Load a contender."""
    from sapiens.backbones.sizes import get_size
    from sapiens.inference.devices import pick_device

    device, input_hw = pick_device("auto"), get_size(size).input_hw
    if kind == "transformers":
        import transformers

        name = json.loads((Path(weights) / "config.json").read_text(encoding="utf-8"))["architectures"][0]
        model = getattr(transformers, name).from_pretrained(weights).to(device)
        return Bare(model, device, batch, input_hw)
    if task == "backbone":
        return Bare(_backbone(kind, size, weights, device), device, batch, input_hw)
    return Ours(kind, task, size, weights, batch)


def _backbone(kind: str, size: str, weights: str, device: torch.device) -> nn.Module:
    from sapiens.backbones.sizes import build_backbone
    from sapiens.cpu.swap import speed_up
    from sapiens.weights import load_model

    number = torch.bfloat16 if kind in HALF else torch.float32
    with torch.device("meta"):
        model = build_backbone(size)
    load_model(model, Path(weights), task="pretrain", size=size, dtype=number, device=device)
    if device.type == "cpu" and kind in ("float32", "int8", "bfloat16"):
        speed_up(model, int8=kind == "int8")
    _finish(kind, model, model)
    return model


MODES = {"compiled": "max-autotune-no-cudagraphs", "graph": "reduce-overhead", "float8": "max-autotune-no-cudagraphs"}


def _finish(kind: str, network: nn.Module, backbone: Any) -> None:
    """Compile a network whose kind asks for it; 8-bit floating point is of use only where its scaling is fused."""
    if kind == "float8":
        use_float8(backbone.blocks)
    if kind in MODES:
        network.compile(mode=MODES[kind], dynamic=False)


def main(kind: str, task: str, size: str, weights: str, batch: str, threads: str) -> None:
    """Answer the lines on stdin."""
    torch.set_num_threads(int(threads))
    start = time.perf_counter()
    contender = make(kind, task, size, weights, int(batch))
    _say({"load": time.perf_counter() - start})
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "pass": lambda: _timed(contender),
        "raw": lambda path: _write(contender, path),
        "done": _memory,
    }
    for line in sys.stdin:
        word, *rest = line.split(maxsplit=1)
        _say(commands[word](*(part.strip() for part in rest)))


def _timed(contender: Contender) -> dict[str, float]:
    contender.seconds = {}
    start = time.perf_counter()
    contender.run()
    total = time.perf_counter() - start
    return {**contender.seconds, "whole": total}


def _write(contender: Contender, path: str) -> dict[str, int]:
    tensors = {str(index): t.detach().float().cpu().contiguous() for index, t in enumerate(contender.raw)}
    save_file(tensors, path)
    return {"tensors": len(tensors)}


def _memory() -> dict[str, float]:
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {"host": peak_memory(), "gpu": gpu}


def _say(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
