"""Files of normals for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sapiens.imaging.write import atomic_path
from sapiens.tasks.normal.result import NormalResult


def write_normals(result: NormalResult, path: Path) -> Path:
    """The file the original writes: (H, W, 3) float32 x, y, z as npy, background included, in the result's axes."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.normals, allow_pickle=False)
    return path
