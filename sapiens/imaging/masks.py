"""Foreground masks stored beside pictures, found by name."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.read import IMAGE_SUFFIXES, read_image

Mask = npt.NDArray[np.bool_]


def find_mask(folder: str | Path, image_name: str, size_hw: tuple[int, int]) -> Mask | None:
    """The foreground mask of a picture from a folder of masks.

    For `x.jpg` the first of these files that exists:

    ===============  =====================================================
    `x.npy`          bool, or integers where foreground is not 0
    `x_seg.npy`      part labels, foreground > 0
    `x_alpha.npy`    alpha in 0..1, foreground > 0.5
    `x.npz`          a saved result with `labels` or `alpha`, as above
    `x.jpg`          a picture of the mask, foreground where blue is not 0
    `x.png`          likewise, for pictures of other formats
    ===============  =====================================================

    The order among `x.npy`, `x_seg.npy` and `x.jpg` is the original's, and so is the blue channel (grey masks have the
    same value in all three). The arrays in between come before pictures, which may be drawings of the same results.

    Args:
        folder: where the masks are; not the folder of the pictures themselves.
        image_name: file name of the picture.
        size_hw: its height and width, which the mask must have.

    Returns:
        (H, W) bool, True on the foreground; None if there is no such file.

    Raises:
        InputError: the file found is no mask (a saved normal array also is an `x.npy`), unreadable, or of another size.
    """
    name = Path(image_name)
    known = name.suffix.lower() in IMAGE_SUFFIXES
    stem = name.stem if known else name.name
    pictures = [name.name, f"{stem}.png"] if known else [f"{stem}.png"]
    for candidate in (f"{stem}.npy", f"{stem}_seg.npy", f"{stem}_alpha.npy", f"{stem}.npz", *pictures):
        path = Path(folder) / candidate
        if path.is_file():
            return _read_mask(path, size_hw, candidate.removeprefix(stem))
    return None


def read_mask(path: str | Path, size_hw: tuple[int, int]) -> Mask:
    """The foreground mask in one file, of a kind that `find_mask` knows, told by the end of its name.

    Args:
        path: `*_seg.npy`, `*_alpha.npy`, another npy, an npz or a picture.
        size_hw: height and width that the mask must have.

    Returns:
        (H, W) bool, True on the foreground.

    Raises:
        InputError: no mask, unreadable, or of another size.
    """
    path = Path(path)
    end = next((end for end in ("_seg.npy", "_alpha.npy") if path.name.endswith(end)), path.suffix)
    return _read_mask(path, size_hw, end)


def _read_mask(path: Path, size_hw: tuple[int, int], end: str) -> Mask:
    """`end` is what the file's name adds to the picture's stem."""
    suffix = path.suffix.lower()
    if suffix not in (*IMAGE_SUFFIXES, ".npy", ".npz"):
        raise InputError(f"{path}: not a kind of mask known here; expected a picture, .npy or .npz")
    mask = np.asarray(read_image(path)[..., 2] > 0) if suffix in IMAGE_SUFFIXES else _from_array(path, end)
    if mask.shape != tuple(size_hw):
        raise InputError(
            f"{path}: a mask of {_text(mask.shape)} pixels for a picture of {_text(size_hw)} (height x width)"
        )
    return mask


def _from_array(path: Path, end: str) -> Mask:
    kind, values = _load(path)
    if kind == "alpha" or end == "_alpha.npy":
        return _above(values, 0.5, "f", path)
    if kind == "labels" or end == "_seg.npy":
        return _above(values, 0, "iub", path)
    return _above(values, None, "iub", path)


def _load(path: Path) -> tuple[str, npt.NDArray[Any]]:
    """The array of an npy, or "labels" or "alpha" of an npz, with its name."""
    try:
        # Opened here, as numpy leaves its own file open when an npz is damaged.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return "", loaded
            for name in ("labels", "alpha"):
                if name in loaded.files:
                    return name, loaded[name]
            held = ", ".join(loaded.files) or "nothing"
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as a mask ({error})") from error
    raise InputError(f"{path}: holds {held}; expected labels or alpha")


def _above(values: npt.NDArray[Any], limit: float | None, kinds: str, path: Path) -> Mask:
    """Foreground where values exceed the limit, or are not zero."""
    if values.ndim != 2 or values.dtype.kind not in kinds:
        expected = "numbers from 0 to 1" if kinds == "f" else "bool or integers"
        raise InputError(
            f"{path}: {values.dtype} array of shape {values.shape} is no mask; expected {expected} of shape (H, W)",
            hint="point --mask at a folder that holds masks only",
        )
    return np.asarray(values != 0 if limit is None else values > limit)


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
