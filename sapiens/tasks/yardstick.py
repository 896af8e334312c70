"""What predictions of a task are held against, besides its metrics: the truth as a result, and trivial answers.

A number means little without that of an answer that needs no network: the most common class, the mean of the training
pictures, the input itself. A task's folder has them in `yardstick.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.imaging.frame import ImageU8
from sapiens.imaging.sample import Sample
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import MaskedResult, Meta, Result

Answer = Callable[[Sample, Meta], Result]
"""A picture, of which the annotations are not to be looked at (but for people's boxes), -> what is said about it."""
Pair = tuple[Image.Image, Image.Image]

GRID_HW = (64, 48)
"""Cells of a mean map."""


def draw_alike(truth: Any, result: Any, image: ImageU8) -> Pair:
    """Pictures of the truth and of a result, both with the truth's foreground mask."""
    if isinstance(truth, MaskedResult) and truth.mask is not None:
        result = result.with_mask(truth.mask)
    return truth.draw(image), result.draw(image)


@dataclass(frozen=True)
class Yardstick:
    """What a task's predictions are held against.

    Attributes:
        shown: the numbers of its metrics that short tables show, and which values of them are good.
        truth: a sample -> its annotations as a result.
        trivial: by name; training pictures -> an answer made from them.
        draw: truth, result, picture -> pictures of both that can be compared.
    """

    shown: Mapping[str, Literal["high", "low"]]
    truth: Callable[[Sample, Meta], Result]
    trivial: Mapping[str, Callable[[Iterable[Sample]], Answer]]
    draw: Callable[[Any, Any, ImageU8], Pair] = draw_alike


def get_yardstick(task: str) -> Yardstick:
    """The yardstick of a task by its name.

    Raises:
        UnknownNameError: names the nearest task.
    """
    get_task(task)
    yardstick: Yardstick = importlib.import_module(f"{TASKS[task]}.yardstick").YARDSTICK
    return yardstick


class MeanMap:
    """The mean of maps of any sizes, brought to one grid.

    Args:
        channels: of the maps.
    """

    def __init__(self, channels: int) -> None:
        self._sum = np.zeros((*GRID_HW, channels))
        self._weight = np.zeros(GRID_HW)

    def add(self, values: npt.NDArray[Any], known: npt.NDArray[np.bool_] | None = None) -> None:
        """Add a map (H, W, C), where it is known (H, W) and finite."""
        finite = np.isfinite(values).all(-1)
        cover = (finite if known is None else known & finite).astype(np.float64)
        kept = np.where(cover[..., None] > 0, values, 0).astype(np.float64)
        size = GRID_HW[::-1]
        small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in np.moveaxis(kept, -1, 0)]
        self._sum += np.stack(small, -1)
        self._weight += cv2.resize(cover, size, interpolation=cv2.INTER_AREA)

    @property
    def overall(self) -> npt.NDArray[np.float64]:
        """(C,) the mean over all that was known; 0 if nothing was."""
        mean: npt.NDArray[np.float64] = self._sum.sum((0, 1)) / max(float(self._weight.sum()), 1e-9)
        return mean

    def at(self, size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
        """(H, W, C) float32: the mean map; cells where nothing was known hold the overall mean."""
        seen = self._weight > 1e-9
        cells = np.where(seen[..., None], self._sum / np.where(seen, self._weight, 1)[..., None], self.overall)
        planes = [
            cv2.resize(plane, size_hw[::-1], interpolation=cv2.INTER_LINEAR) for plane in np.moveaxis(cells, -1, 0)
        ]
        return np.stack(planes, -1).astype(np.float32)
