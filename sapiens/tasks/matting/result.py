"""What matting gives: how much of every pixel is the person, and the person's colour there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.palette import ColourRGB, to_picture
from sapiens.drawing.palette import side_by_side as beside
from sapiens.errors import InputError
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import Result
from sapiens.tasks.matting.draw import GREEN, compose

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class MattingResult(Result):
    """The matte of one picture.

    Attributes:
        alpha: (H, W) float32 in 0..1, how much of the pixel is the person.
        foreground: (H, W, 3) float32 RGB in 0..1, the person's colour multiplied by alpha, as predicted, in the
            picture's own encoding (not linear light). None from a network that predicts alpha alone; see
            `with_picture_colours`.
    """

    task: ClassVar[str] = "matting"

    alpha: Float32
    foreground: Float32 | None = None

    def __post_init__(self) -> None:
        self.check_array("alpha", self.alpha, np.float32, *self.meta.size_hw)
        if self.foreground is not None:
            self.check_array("foreground", self.foreground, np.float32, *self.meta.size_hw, 3)

    def straight(self, eps: float = 1e-3) -> Float32:
        """The person's colour without alpha in it (un-premultiplied), for programs that multiply it in themselves.

        Args:
            eps: alpha at and below this counts as 0: too little to tell a colour from.

        Returns:
            (H, W, 3) float32 RGB in 0..1; 0 where alpha is.
        """
        if not 0 < eps < 1:
            raise InputError(f"eps: expected a number between 0 and 1, got {eps}")
        foreground, alpha = self._colours(), self.alpha[..., None]
        colour = np.divide(foreground, alpha, out=np.zeros_like(foreground), where=alpha > eps)
        return np.clip(colour, 0, 1, out=colour)

    def composite(self, background: ColourRGB | ImageU8 = GREEN) -> ImageU8:
        """The person over something else: foreground + (1 - alpha) * background, in display encoding.

        Args:
            background: R, G, B in 0..255, or a picture (H, W, 3) uint8 RGB.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            InputError: a picture of another size or dtype, or no foreground colours.
        """
        if isinstance(background, np.ndarray) and background.dtype != np.uint8:
            raise InputError(f"background: expected a picture of uint8, got {background.dtype}")
        if np.shape(background) != (3,):
            background = self.canvas(np.asarray(background))
        return compose(self._colours(), self.alpha, background)

    def cutout(self) -> npt.NDArray[np.uint8]:
        """(H, W, 4) uint8 RGBA with straight colours, as PNG files store transparency; to the nearest level."""
        return to_picture(np.dstack([self.straight(), self.alpha]), rounded=True)

    def with_picture_colours(self, image: ImageU8 | None = None) -> MattingResult:
        """The same matte with the picture's own colours, times alpha, as foreground.

        They keep what shines through at hair and soft edges, unlike predicted foreground colours.

        Args:
            image: (H, W, 3) uint8 RGB; default the result's own picture.

        Raises:
            InputError: no picture at hand, or one of another size.
        """
        if image is None and self.image is None:
            raise InputError(f"{self.meta.image_id}: the result has no picture", hint="with_picture_colours(image)")
        picture = self.canvas(image).astype(np.float32) / np.float32(255)
        return dataclasses.replace(self, foreground=picture * self.alpha[..., None])

    def draw(
        self, image: ImageU8 | None = None, *, side_by_side: bool = False, background: ColourRGB | ImageU8 = GREEN
    ) -> Image.Image:
        """The person over a green screen; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | alpha | composite].
            background: as in `composite`.

        A matte without foreground colours is drawn with the picture's own.
        """
        canvas = self.canvas(image)
        matte = self if self.foreground is not None else self.with_picture_colours(canvas)
        composite = matte.composite(background)
        return Image.fromarray(beside(canvas, to_picture(self.alpha), composite) if side_by_side else composite)

    def _colours(self) -> Float32:
        if self.foreground is None:
            raise InputError(
                f"{self.meta.image_id}: this matte has alpha only, no foreground colours",
                hint="use the picture's own: result.with_picture_colours()",
            )
        return self.foreground
