"""What normal estimation gives: the direction a surface faces, for every pixel.

Axes. The network's normals are in the camera's frame with +x to the right, +y up and +z towards the viewer: those of
OpenGL and Blender cameras. OpenCV and COLMAP count y down and z into the picture; `to_opencv` gives those. (The
original code says "camera frame" only; the directions are those that silhouettes show: left outlines have x < 0, the
tops of shoulders y > 0, and what faces the camera z near 1.)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.palette import side_by_side as beside
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import MaskedResult
from sapiens.tasks.normal.draw import draw_normals

FLIP_YZ = np.array([1, -1, -1], np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class NormalResult(MaskedResult):
    """Surface normals of one picture, background included.

    Attributes:
        normals: (H, W, 3) float32 x, y, z in the camera's frame. Unit length; (0, 0, 0) where the network gives no
            direction or opposite ones cancel. With compat="reference" lengths fall below 1 wherever normals turn.
        opencv: whether they are in OpenCV's axes; False: in the released ones.
        mask: see `MaskedResult`.
    """

    task: ClassVar[str] = "normal"

    normals: npt.NDArray[np.float32]
    opencv: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_array("normals", self.normals, np.float32, *self.meta.size_hw, 3)

    def to_opencv(self) -> NormalResult:
        """The same normals with +y down and +z into the picture."""
        return self if self.opencv else self._turned()

    def to_opengl(self) -> NormalResult:
        """The same normals with +y up and +z to the viewer, as released."""
        return self._turned() if self.opencv else self

    def _turned(self) -> NormalResult:
        """y and z negated, which is the way there and the way back."""
        return dataclasses.replace(self, normals=self.normals * FLIP_YZ, opencv=not self.opencv)

    def draw(
        self, image: ImageU8 | None = None, *, side_by_side: bool = False, keep_background: bool = False
    ) -> Image.Image:
        """The normals as colours, always those of the released axes; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | normals].
            keep_background: show the picture off the person instead of black; needs a mask to have an effect.
        """
        canvas = self.canvas(image)
        drawn = draw_normals(self.to_opengl().normals, self.mask, canvas if keep_background else None)
        return Image.fromarray(beside(canvas, drawn) if side_by_side else drawn)
