"""Albedo files."""

import numpy as np
from helpers_dense import make_meta

from sapiens.tasks.albedo import TASK, AlbedoResult


def test_npy__float32(tmp_path):
    albedo = np.random.default_rng(0).random((2, 3, 3), np.float32)
    export = TASK.exports["npy"]
    path = tmp_path / f"x{export.suffix}"
    export.write(AlbedoResult(meta=make_meta("albedo", (2, 3)), albedo=albedo), path)
    assert np.load(path).dtype == np.float32
    np.testing.assert_array_equal(np.load(path), albedo)
