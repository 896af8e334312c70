"""A task small enough to see through: the mean colour of each box, or of the picture."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.inference.item import Source
from sapiens.inference.predictor import Predictor
from sapiens.tasks.base import Prepared, Result, Setup, Task


@dataclass(frozen=True, eq=False, kw_only=True)
class ToyResult(Result):
    task = "toy"
    means: np.ndarray

    def draw(self, image=None, *, side_by_side=False):
        return Image.fromarray(self.canvas(image))


class ToyNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))
        self.batches: list[int] = []

    def forward(self, x):
        self.batches.append(len(x))
        return x.mean((2, 3)) * self.one


def _preprocess(frame, boxes, setup):
    if boxes is None:
        return [Prepared(np.full((4, 3, 3), frame.image.mean((0, 1)), np.float64).astype(np.uint8), None)]
    return [Prepared(np.full((4, 3, 3), int(b[0]), np.uint8), None) for b in boxes]


def _postprocess(raw, prepared, frame, people, setup, meta):
    return ToyResult(meta=meta, means=raw["means"].numpy() if raw else np.zeros((0, 3), np.float32))


def toy_task(**changes) -> Task:
    fields = {
        "name": "toy",
        "title": "Toy",
        "build_head": lambda size, channels: nn.Identity(),
        "result": ToyResult,
        "preprocess": _preprocess,
        "forward": lambda model, x, setup: {"means": model(x)},
        "postprocess": _postprocess,
        "released": (),
    }
    return Task(**(fields | changes))


def toy_predictor(batch_size: int = 4, compat: str = "default", **changes) -> Predictor:
    setup = Setup((4, 3), compat, None)
    return Predictor(toy_task(**changes), ToyNet(), setup, name="toy", digest="toy", batch_size=batch_size)


def grey(value: int, height: int = 5, width: int = 7) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def source(value: int) -> Source:
    return Source(f"p{value}", lambda: Frame(grey(value, 2 + value % 5, 3 + value % 3), f"p{value}"))


def broken(name: str, error: Exception | None = None) -> Source:
    def read() -> Frame:
        raise error or InputError(f"{name}: is broken")

    return Source(name, read)
