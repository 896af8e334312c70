"""Foreground masks for normals, points and albedo: from another task of the same run, or from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.masks import find_mask, read_mask
from sapiens.inference.item import Item, MaskOf
from sapiens.tasks.base import Result


def foreground(result: Result) -> npt.NDArray[np.bool_]:
    """Which pixels are the person, by a result that can tell: any part, or alpha above one half.

    Raises:
        InputError: the task does not separate people from the rest.
    """
    arrays = result.arrays()
    if "labels" in arrays:
        return np.asarray(arrays["labels"] > 0)
    if "alpha" in arrays:
        return np.asarray(arrays["alpha"] > 0.5)
    raise InputError(f"a {result.task} result holds no foreground; seg and matting do")


def mask_from_task(name: str) -> MaskOf:
    """Masks from the result of a task that ran earlier on the same picture."""
    return lambda item: foreground(item.results[name])


def mask_from_path(path: Path) -> MaskOf:
    """Masks from a folder (see `mask_from_folder`), or the one in a file, which every picture must fit.

    Raises:
        InputError: there is no such file or folder.
    """
    if path.is_file():
        return lambda item: read_mask(path, item.take().size_hw)
    return mask_from_folder(path)


def mask_from_folder(folder: Path) -> MaskOf:
    """Masks from files named like the pictures; a picture without one counts as all foreground, with a note.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such mask file or folder", hint="--mask seg, --mask matting, a mask, or a folder of masks"
        )

    def mask(item: Item) -> npt.NDArray[np.bool_] | None:
        path = item.source.path or Path(item.source.id)
        if path.exists() and path.resolve().parent == folder.resolve():
            # Masks may have the pictures' own names: here every picture would be found as its own mask.
            raise InputError(f"{path}: lies in the mask folder {folder}; keep masks in a folder of their own")
        # A frame of a movie has no file; its mask is named like the files written for it, clip.000012.
        name = path.name if item.source.path is not None else f"{item.source.name or path.name}.png"
        found = find_mask(folder, name, item.take().size_hw)
        note = f"no mask in {folder}: everything counts as foreground"
        if found is None and note not in item.notes:
            item.notes += (note,)
        return found

    return mask
