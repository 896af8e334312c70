from __future__ import annotations

import numpy as np
import pytest
import torch

from sapiens.detection.detr import Detr, sine_positions
from sapiens.detection.detr_detector import fill


@pytest.fixture(scope="module")
def network(detr_folder):
    with torch.device("meta"):
        network = Detr()
    fill(network, detr_folder / "model.safetensors")
    return network.eval().requires_grad_(False)


def test_names__as_on_disk(tensor_table):
    with torch.device("meta"):
        state = Detr().state_dict()
    assert {name: ["float32", list(tensor.shape)] for name, tensor in state.items()} == tensor_table


def test_forward__golden_single(network, golden, seeded):
    record = golden("detr/detr.npz")
    logits, boxes = network(seeded("detr:a", (1, 3, 256, 320)))
    np.testing.assert_allclose(logits, record["a/logits"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(boxes, record["a/boxes"], rtol=0, atol=1e-5)


def test_forward__golden_padded(network, golden, seeded):
    record = golden("detr/detr.npz")
    image = seeded("detr:b", (2, 3, 192, 256))
    mask = torch.ones(2, 192, 256, dtype=torch.bool)
    mask[1, 160:] = False
    mask[1, :, 208:] = False
    logits, boxes = network(image * mask[:, None], mask)
    np.testing.assert_allclose(logits, record["b/logits"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(boxes, record["b/boxes"], rtol=0, atol=1e-5)


def test_forward__mask_of_ones_changes_nothing(network, seeded):
    image = seeded("detr:ones", (1, 3, 64, 96))
    plain, masked = network(image), network(image, torch.ones(1, 64, 96, dtype=torch.bool))
    for one, other in zip(plain, masked, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_sine_positions__a_fully_padded_column_stays_finite():
    valid = torch.ones(1, 3, 4, dtype=torch.bool)
    valid[..., 3] = False
    positions = sine_positions(valid)
    assert positions.shape == (1, 12, 256)
    assert positions.isfinite().all()
