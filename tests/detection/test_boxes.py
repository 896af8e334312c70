from __future__ import annotations

import numpy as np
import pytest
import torch

from sapiens.detection import Detections, validate_boxes, whole_image
from sapiens.errors import InputError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("given", "boxes", "scores"),
    [
        pytest.param([[1, 2, 3, 4]], [[1, 2, 3, 4]], [1], id="list"),
        pytest.param(((5, 6, 7, 8), (1, 2, 3, 4)), [[5, 6, 7, 8], [1, 2, 3, 4]], [1, 1], id="order is kept"),
        pytest.param(torch.tensor([[1, 2, 3, 4]]), [[1, 2, 3, 4]], [1], id="tensor"),
        pytest.param([[1, 2, 3, 4, 0.5]], [[1, 2, 3, 4]], [0.5], id="with scores"),
        pytest.param([[-5, -5, 300, 300]], [[-5, -5, 300, 300]], [1], id="partly outside"),
        pytest.param([[19, 9, 30, 30]], [[19, 9, 30, 30]], [1], id="last pixel"),
        pytest.param([], np.zeros((0, 4)), np.zeros(0), id="nobody"),
        pytest.param(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0), id="nobody, array"),
    ],
)
def test_validate_boxes__good(given, boxes, scores):
    got = validate_boxes(given, (10, 20))
    np.testing.assert_array_equal(got[0], boxes)
    np.testing.assert_array_equal(got[1], scores)
    assert got[0].dtype == got[1].dtype == np.float32


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param([1, 2, 3, 4], r"photo: expected boxes of shape \(N, 4\).*got \(4,\)", id="flat"),
        pytest.param([[1, 2, 3]], r"got \(1, 3\)", id="three numbers"),
        pytest.param([[1, 2, 3, 4], [1, 2]], "boxes must be numbers in rows", id="ragged"),
        pytest.param("people", "boxes must be numbers in rows", id="text"),
        pytest.param([[1, 2, 3, 4], [1, NAN, 3, 4]], r"box 1 \(1, nan, 3, 4\) holds NaN", id="nan"),
        pytest.param([[1, 2, INF, 4]], "box 0 .* holds NaN or infinity", id="infinity"),
        pytest.param([[3, 2, 3, 4]], r"box 0 \(3, 2, 3, 4\) has x2 <= x1", id="zero width"),
        pytest.param([[1, 4, 3, 2]], "has y2 <= y1", id="upside down"),
        pytest.param([[20, 0, 30, 5]], r"lies wholly outside the picture \(20 wide, 10 high\)", id="right of it"),
        pytest.param([[-9, 0, 0, 5]], "lies wholly outside", id="left of it"),
        pytest.param([[0, 10, 5, 15]], "lies wholly outside", id="below"),
    ],
)
def test_validate_boxes__bad(given, message):
    with pytest.raises(InputError, match=message):
        validate_boxes(given, (10, 20), name="photo")


def test_whole_image__the_last_pixel_is_a_corner():
    found = whole_image((480, 640))
    assert found.boxes_xyxy.tolist() == [[0, 0, 639, 479]]
    assert found.scores.tolist() == [1]
    assert found.boxes_xyxy.dtype == np.float32


def test_detections__lengths_must_agree():
    with pytest.raises(InputError, match=r"\(2, 4\), \(1,\)"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32))
