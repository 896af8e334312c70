"""Label files."""

import cv2
import numpy as np
from helpers_dense import make_meta

from sapiens.tasks.seg import TASK, SegResult

LABELS = np.array([[0, 4, 28], [22, 0, 4]], np.uint8)
RESULT = SegResult(meta=make_meta("seg", (2, 3)), labels=LABELS)


def test_npy__as_the_original_writes_them(tmp_path):
    export = TASK.exports["npy"]
    path = tmp_path / f"x{export.suffix}"
    export.write(RESULT, path)
    stored = np.load(path)
    assert path.name == "x_seg.npy"
    assert stored.dtype == np.int64
    np.testing.assert_array_equal(stored, LABELS)


def test_labels__grey_level_is_the_label(tmp_path):
    export = TASK.exports["labels"]
    export.write(RESULT, tmp_path / "x.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_UNCHANGED), LABELS)
