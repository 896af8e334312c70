"""A decoded picture with its name: what sources yield and tasks read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError

ImageU8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        id: the name that errors, results and manifests use.
        index: position in its source, from 0.
        time_s: presentation time in seconds, None for stills.
        path: where it was read from, None for arrays.
    """

    image: ImageU8
    id: str
    index: int = 0
    time_s: float | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(f"{self.id}: expected an RGB array of uint8, shape (H, W, 3); got {got}")
        if min(image.shape[:2]) < 1:
            raise InputError(f"{self.id}: the picture has no pixels (shape {image.shape})")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]
