from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sapiens.detection.detr import Detr
from sapiens.detection.detr_detector import PERSON, DetrDetector, people
from sapiens.errors import NumericError, WeightsError

CAT = 17
NOTHING = 91


def queries(*rows):
    """Logits (Q, 92) and boxes (Q, 4) from rows (class, probability, cx, cy, w, h)."""
    logits = torch.full((len(rows), 92), -30.0)
    for index, (label, probability, *_) in enumerate(rows):
        logits[index, label] = np.log(probability)
        logits[index, NOTHING] = np.log(max(1 - probability, 1e-9))
    return logits, torch.tensor([row[2:] for row in rows])


class FakeDetr(nn.Module):
    """Returns the same queries for every picture and notes what it was given."""

    def __init__(self, logits, boxes):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.queries = logits, boxes
        self.given = []

    def forward(self, image, mask=None):
        self.given.append((tuple(image.shape), None if mask is None else mask.sum((1, 2)).tolist()))
        return tuple(x.expand(len(image), *x.shape) for x in self.queries)


def blank(height, width):
    return np.zeros((height, width, 3), np.uint8)


def test_people__best_class_strict_threshold_order_and_no_clipping():
    logits, boxes = queries(
        (PERSON, 0.6, 0.25, 0.5, 0.2, 0.4),
        (CAT, 0.9, 0.75, 0.5, 0.2, 0.4),
        (PERSON, 0.9, 1.0, 1.0, 0.5, 0.5),
        (PERSON, 0.2, 0.1, 0.1, 0.1, 0.1),
    )
    found = people(logits, boxes, (100, 200), 0.3, 0.3)
    np.testing.assert_allclose(found.boxes_xyxy, [[150, 75, 250, 125], [30, 30, 70, 70]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], rtol=1e-5)
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32


def test_people__a_person_that_is_more_a_cat_is_none():
    logits = torch.full((1, 92), -30.0)
    logits[0, PERSON], logits[0, CAT] = np.log(0.45), np.log(0.5)
    assert len(people(logits, torch.full((1, 4), 0.5), (10, 10), 0.3, 0.3)) == 0


def test_people__probability_counts_no_object():
    logits, boxes = queries((PERSON, 0.29, 0.5, 0.5, 0.1, 0.1), (PERSON, 0.31, 0.2, 0.2, 0.1, 0.1))
    np.testing.assert_allclose(people(logits, boxes, (10, 10), 0.3, 0.3).scores, [0.31], rtol=1e-5)


def test_people__overlapping_boxes_are_thinned():
    logits, boxes = queries((PERSON, 0.6, 0.5, 0.5, 0.5, 0.5), (PERSON, 0.8, 0.52, 0.5, 0.5, 0.5))
    np.testing.assert_allclose(people(logits, boxes, (100, 100), 0.3, 0.3).scores, [0.8], rtol=1e-5)


def test_people__equals_the_processor_of_transformers():
    transformers = pytest.importorskip("transformers")
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(1, 100, 92, generator=generator)
    logits[..., PERSON] += 6
    boxes = torch.rand(1, 100, 4, generator=generator)
    found = people(logits[0], boxes[0], (480, 640), 0.3, 1.0)
    processor = transformers.DetrImageProcessorPil()
    output = SimpleNamespace(logits=logits, pred_boxes=boxes)
    (expected,) = processor.post_process_object_detection(output, threshold=0.3, target_sizes=[(480, 640)])
    order = expected["scores"].argsort(descending=True)
    order = order[expected["labels"][order] == PERSON]
    assert 10 < len(found) < 100
    np.testing.assert_allclose(found.scores, expected["scores"][order], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.boxes_xyxy, expected["boxes"][order], rtol=0, atol=1e-3)


def test_call__mixed_sizes_share_batches_only_without_padding():
    network = FakeDetr(*queries((PERSON, 0.9, 0.5, 0.5, 0.5, 0.5)))
    found = DetrDetector(network)([blank(60, 80), blank(30, 100), blank(120, 160)])
    assert network.given == [((2, 3, 800, 1066), None), ((1, 3, 400, 1333), None)]
    corners = [each.boxes_xyxy[0].tolist() for each in found]
    assert corners == [[20, 15, 60, 45], [25, 7.5, 75, 22.5], [40, 30, 120, 90]]


def test_call__mixed_sizes_padded_on_request():
    network = FakeDetr(*queries((PERSON, 0.9, 0.5, 0.5, 0.5, 0.5)))
    found = DetrDetector(network, mix_sizes=True)([blank(60, 80), blank(30, 100)])
    assert network.given == [((2, 3, 800, 1333), [800 * 1066, 400 * 1333])]
    assert [each.boxes_xyxy[0].tolist() for each in found] == [[20, 15, 60, 45], [25, 7.5, 75, 22.5]]


def test_call__batch_size_bounds_a_pass():
    network = FakeDetr(*queries((PERSON, 0.9, 0.5, 0.5, 0.5, 0.5)))
    assert len(DetrDetector(network, batch_size=2)([blank(8, 8)] * 5)) == 5
    assert [shape[0] for shape, _ in network.given] == [2, 2, 1]


def test_call__no_pictures():
    assert DetrDetector(FakeDetr(*queries((PERSON, 0.9, 0.5, 0.5, 0.5, 0.5))))([]) == []


def test_call__nan_is_an_error():
    logits, boxes = queries((PERSON, 0.9, 0.5, 0.5, 0.5, 0.5))
    with pytest.raises(NumericError, match="detr produced NaN"):
        DetrDetector(FakeDetr(logits * np.nan, boxes))([blank(8, 8)])


class TinyDetr(nn.Module):
    """Loading does not depend on the network."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(3, 1)


@pytest.fixture
def tiny(monkeypatch):
    """The tensors of a tiny network that takes DETR's place."""
    monkeypatch.setattr("sapiens.detection.detr_detector.Detr", TinyDetr)
    return TinyDetr().state_dict()


@pytest.mark.parametrize("form", ["safetensors", "bin", "file", "half"])
def test_load__forms(form, tiny, tmp_path):
    if form == "bin":
        torch.save(tiny, tmp_path / "pytorch_model.bin")
    else:
        save_file({k: v.half() if form == "half" else v for k, v in tiny.items()}, tmp_path / "model.safetensors")
    loaded = DetrDetector.load(tmp_path / "model.safetensors" if form == "file" else tmp_path)._network.state_dict()
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}
    for name, tensor in tiny.items():
        torch.testing.assert_close(loaded[name], tensor, rtol=0, atol=1e-3 if form == "half" else 0)


def test_load__the_released_layout(detr_folder, detr_weights):
    network = DetrDetector.load(detr_folder)._network
    assert isinstance(network, Detr)
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in network.parameters())
    name = "model.backbone.conv_encoder.model.layer4.2.bn3.running_var"
    torch.testing.assert_close(network.state_dict()[name], detr_weights[name])


def test_load__other_names(tmp_path):
    save_file(TinyDetr().state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(
        WeightsError, match=r"785 missing \(bbox_predictor.*, \.\.\.\); 4 unexpected \(first\.bias, first"
    ):
        DetrDetector.load(tmp_path)


def test_load__other_shapes(tiny, tmp_path):
    save_file(tiny | {"first.bias": torch.zeros(81)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"1 other shapes \(first.bias is \(81,\), not \(3,\)\)"):
        DetrDetector.load(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_load__damaged(name, tmp_path):
    (tmp_path / name).write_bytes(b"not a checkpoint" * 10)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        DetrDetector.load(tmp_path)


def test_load__a_pickled_object_is_refused(tmp_path):
    torch.save({"model": tmp_path}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        DetrDetector.load(tmp_path)


def test_load__a_table_of_something_else(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="expected a table of tensors"):
        DetrDetector.load(tmp_path)


def test_load__nothing_there(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no model\.safetensors or pytorch_model\.bin"):
        DetrDetector.load(tmp_path)
