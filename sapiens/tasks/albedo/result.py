"""What albedo estimation gives: the colour of every surface without light and shade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.palette import side_by_side as beside
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.albedo.draw import draw_albedo
from sapiens.tasks.base import MaskedResult


@dataclass(frozen=True, eq=False, kw_only=True)
class AlbedoResult(MaskedResult):
    """Albedo of one picture, background included.

    Attributes:
        albedo: (H, W, 3) float32 RGB in 0..1, display-encoded like an 8-bit picture / 255 (not linear light).
        mask: see `MaskedResult`.
    """

    task: ClassVar[str] = "albedo"

    albedo: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_array("albedo", self.albedo, np.float32, *self.meta.size_hw, 3)

    def draw(
        self, image: ImageU8 | None = None, *, side_by_side: bool = False, keep_background: bool = False
    ) -> Image.Image:
        """The albedo as a picture; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | albedo].
            keep_background: show the picture off the person instead of grey; needs a mask to have an effect.
        """
        canvas = self.canvas(image)
        drawn = draw_albedo(self.albedo, self.mask, canvas if keep_background else None)
        return Image.fromarray(beside(canvas, drawn) if side_by_side else drawn)
