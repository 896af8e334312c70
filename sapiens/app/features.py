"""What the backbone sees: a vector for every patch of a picture, shown as a task of the service.

It has no head and no weights of its own: the backbone is that of body parts at the size that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor, nn

from sapiens.drawing.palette import side_by_side as beside
from sapiens.errors import InputError
from sapiens.imaging.frame import Frame, ImageU8
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import Meta, People, Prepared, Raw, Result, Setup, Task
from sapiens.tasks.dense import stretched

NAME = "features"
BACKBONE_OF = "seg"
"""The task whose backbone it is."""
SERVED = (*TASKS, NAME)
"""Everything the service predicts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FeaturesResult(Result):
    """Features of one picture.

    Attributes:
        features: (h, w, C) float32, one vector of unit length for each of the h x w equal patches of the picture, in
            row order: the dot product of two of them is their cosine similarity.
    """

    task: ClassVar[str] = NAME

    features: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        self.check_array("features", self.features, np.float32, None, None, None)

    def draw(self, image: ImageU8 | None = None, *, side_by_side: bool = False) -> Image.Image:
        """The three directions in which the features vary most, as red, green and blue; see `Result.draw`."""
        height, width = self.meta.size_hw
        small = Image.fromarray(principal_colours(self.features))
        drawn = small.resize((width, height), Image.Resampling.NEAREST)
        return Image.fromarray(beside(self.canvas(image), np.asarray(drawn))) if side_by_side else drawn


def principal_colours(features: npt.NDArray[np.float32]) -> ImageU8:
    """(h, w, 3) uint8 from (h, w, C) float32: the first three principal components, each spread from 0 to 255."""
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    centred = rows - rows.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    parts = centred @ vectors[:, ::-1][:, :3]
    low, high = np.percentile(parts, [2, 98], axis=0)
    spread = np.clip((parts - low) / np.maximum(high - low, 1e-12), 0, 1)
    return np.asarray(np.rint(255 * spread), np.uint8).reshape(*features.shape[:2], 3)


def _forward(model: nn.Module, batch: Tensor, setup: Setup) -> Raw:
    backbone: Any = model.backbone
    return {NAME: nn.functional.normalize(backbone(batch)[0].float(), dim=1)}


def _postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> FeaturesResult:
    return FeaturesResult(meta=meta, features=raw[NAME][0].permute(1, 2, 0).contiguous().cpu().numpy())


def _no_head(size: str, channels: int) -> nn.Module:
    raise InputError(f"{NAME} has no network of its own; it is the backbone of {BACKBONE_OF}")


FEATURES = Task(
    name=NAME,
    title="Features",
    build_head=_no_head,
    result=FeaturesResult,
    preprocess=stretched("linear"),
    forward=_forward,
    postprocess=_postprocess,
    released=(),
)


def served_task(name: str) -> Task:
    """A task of the service by name.

    Raises:
        UnknownNameError: names the nearest task.
    """
    return FEATURES if name == NAME else get_task(name)
