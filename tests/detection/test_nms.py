from __future__ import annotations

import numpy as np
import pytest

from sapiens.detection.nms import nms, select


def arrays(*rows):
    table = np.array(rows, np.float32).reshape(-1, 5)
    return table[:, :4], table[:, 4]


@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.7"])
def test_nms__golden(golden, threshold):
    record = golden("io/pose_nms.npz")
    kept = nms(record["dets"][:, :4], record["dets"][:, 4], float(threshold))
    np.testing.assert_array_equal(kept, record[f"keep_{threshold}"])


@pytest.mark.parametrize(
    ("second", "threshold", "kept"),
    [
        pytest.param((0, 0, 9, 4, 0.8), 0.5, [0, 1], id="iou equal to the threshold stays"),
        pytest.param((0, 0, 9, 4, 0.8), 0.49, [0], id="iou above the threshold goes"),
        pytest.param((0, 0, 9, 5, 0.8), 0.5, [0], id="one pixel row more"),
        pytest.param((9, 0, 18, 9, 0.8), 0.05, [0], id="boxes that share a pixel column overlap"),
        pytest.param((10, 0, 19, 9, 0.8), 0.0, [0, 1], id="boxes side by side do not"),
        pytest.param((0, 0, 9, 9, 0.95), 0.5, [1], id="the better of two equal boxes"),
        pytest.param((0, 0, 9, 9, 0.9), 0.5, [0], id="the first of two equal scores"),
    ],
)
def test_nms__pixel_convention(second, threshold, kept):
    assert nms(*arrays((0, 0, 9, 9, 0.9), second), threshold).tolist() == kept


def test_nms__empty():
    kept = nms(*arrays(), 0.3)
    assert kept.shape == (0,)
    assert kept.dtype.kind == "i"


def test_select__strict_threshold_and_order():
    boxes, scores = arrays((0, 0, 9, 9, 0.3), (20, 0, 29, 9, 0.31), (40, 0, 49, 9, 0.9))
    found = select(boxes, scores, score_threshold=float(np.float32(0.3)), iou_threshold=0.3)
    np.testing.assert_array_equal(found.boxes_xyxy, boxes[[2, 1]])
    np.testing.assert_array_equal(found.scores, scores[[2, 1]])


def test_select__nobody():
    found = select(*arrays((0, 0, 9, 9, 0.1)), score_threshold=0.3, iou_threshold=0.3)
    assert (found.boxes_xyxy.shape, found.scores.shape, len(found)) == ((0, 4), (0,), 0)
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32
