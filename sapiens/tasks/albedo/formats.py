"""Files of albedo for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sapiens.imaging.write import atomic_path
from sapiens.tasks.albedo.result import AlbedoResult


def write_albedo(result: AlbedoResult, path: Path) -> Path:
    """(H, W, 3) float32 RGB in 0..1 as npy, background included; the original saves no array."""
    with atomic_path(path) as temporary:
        np.save(temporary, result.albedo, allow_pickle=False)
    return path
