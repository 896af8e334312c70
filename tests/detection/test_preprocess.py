from __future__ import annotations

import numpy as np
import pytest
import torch

from sapiens.detection.preprocess import normalise, pad_batch, resize, resized_hw

CPU = torch.device("cpu")


def prepared(image):
    return normalise([resize(image, resized_hw(image.shape[:2]))], CPU)[0][None].numpy()


@pytest.mark.parametrize(("case", "columns"), [("pre_square", 512), ("pre_tall", 300)])
def test_prepared__golden(golden, astronaut, case, columns):
    record = golden("detr/detr.npz")
    got = prepared(astronaut[:, :columns])
    assert got.shape == tuple(record[f"{case}/shape"])
    np.testing.assert_allclose(got[:, :, ::16, ::16], record[f"{case}/every16"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "size_hw",
    [
        pytest.param((1000, 1500), id="shrinking"),
        pytest.param((1700, 900), id="shrinking, tall"),
        pytest.param((900, 2700), id="longer side limits"),
        pytest.param((30, 1400), id="strip"),
        pytest.param((1400, 7), id="thread"),
        pytest.param((300, 1335), id="longer side above the limit, shorter side rounds to itself"),
        pytest.param((801, 1333), id="one pixel too large"),
        pytest.param((333, 500), id="enlarging"),
    ],
)
def test_prepared__equals_the_processor_of_transformers(size_hw):
    transformers = pytest.importorskip("transformers")
    image = np.random.default_rng(sum(size_hw)).integers(0, 256, (*size_hw, 3), np.uint8)
    processor = transformers.DetrImageProcessorPil(size={"shortest_edge": 800, "longest_edge": 1333})
    expected = processor(images=image, return_tensors="np", input_data_format="channels_last")
    np.testing.assert_allclose(prepared(image), expected["pixel_values"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [
        pytest.param((512, 512), (800, 800), id="square"),
        pytest.param((512, 300), (1333, 781), id="tall"),
        pytest.param((720, 1280), (750, 1333), id="wide"),
        pytest.param((800, 1333), (800, 1333), id="fits"),
        pytest.param((1, 5000), (1, 1333), id="a line keeps one pixel"),
    ],
)
def test_resized_hw(size_hw, expected):
    assert resized_hw(size_hw) == expected


def test_resize__same_size_is_the_same_picture():
    image = np.zeros((4, 5, 3), np.uint8)
    assert resize(image, (4, 5)) is image


def test_pad_batch__mixed_sizes():
    batch, mask = pad_batch([torch.ones(3, 4, 6), torch.ones(3, 5, 2)])
    assert batch.shape == (2, 3, 5, 6)
    assert mask.shape == (2, 5, 6)
    assert mask.dtype == torch.bool
    for image, valid, (height, width) in zip(batch, mask, [(4, 6), (5, 2)], strict=True):
        assert valid[:height, :width].all()
        assert valid.sum() == height * width
        torch.testing.assert_close(image, valid.float().expand(3, -1, -1))


def test_pad_batch__equal_sizes_need_no_mask():
    batch, mask = pad_batch([torch.ones(3, 4, 6), torch.zeros(3, 4, 6)])
    assert batch.shape == (2, 3, 4, 6)
    assert mask is None
