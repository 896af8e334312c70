"""Files of mattes for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sapiens.drawing.palette import to_picture
from sapiens.imaging.write import atomic_path, write_image
from sapiens.tasks.matting.result import MattingResult


def write_alpha(result: MattingResult, path: Path) -> Path:
    """The file the original writes: (H, W) float32 alpha in 0..1 as npy."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.alpha, allow_pickle=False)
    return path


def write_alpha_picture(result: MattingResult, path: Path) -> Path:
    """Alpha as a 16-bit grey picture: 65535 is opaque."""
    return write_image(path, np.rint(result.alpha * 65535).astype(np.uint16))


def write_cutout(result: MattingResult, path: Path) -> Path:
    """The person on transparency: RGBA with straight colours; those of the picture if the network predicts none."""
    colours = result if result.foreground is not None else result.with_picture_colours()
    return write_image(path, colours.cutout())


def write_premultiplied(result: MattingResult, path: Path) -> Path:
    """The person on transparency with premultiplied colours, as predicted.

    PNG foresees straight colours only: this is for programs that are told what they read.
    """
    colours = result if result.foreground is not None else result.with_picture_colours()
    assert colours.foreground is not None
    return write_image(path, to_picture(np.dstack([colours.foreground, colours.alpha]), rounded=True))
