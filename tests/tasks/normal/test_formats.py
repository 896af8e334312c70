"""Normal files."""

import numpy as np
from helpers_dense import make_meta

from sapiens.tasks.normal import TASK, NormalResult


def test_npy__as_the_original_writes_them(tmp_path):
    normals = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    export = TASK.exports["npy"]
    path = tmp_path / f"x{export.suffix}"
    export.write(NormalResult(meta=make_meta("normal", (2, 3)), normals=normals), path)
    stored = np.load(path)
    assert path.name == "x.npy"
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, normals)
