"""Files of part labels for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sapiens.imaging.write import atomic_path, write_image
from sapiens.tasks.seg.result import SegResult


def write_labels(result: SegResult, path: Path) -> Path:
    """The file the original writes: (H, W) int64 labels as npy."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.labels.astype(np.int64), allow_pickle=False)
    return path


def write_label_picture(result: SegResult, path: Path) -> Path:
    """Labels as an 8-bit grey picture: the grey level is the label."""
    return write_image(path, result.labels)
