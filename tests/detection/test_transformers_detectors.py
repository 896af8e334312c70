from __future__ import annotations

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sapiens.detection.transformers_detectors import Input, TransformersDetector
from sapiens.errors import MissingDependencyError, NumericError, WeightsError

transformers = pytest.importorskip("transformers")

AS_IS = Input((64, 96), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def noise(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


class FakeNetwork(nn.Module):
    """Returns the same queries for every picture; rows (score of class 0, of class 1, cx, cy, w, h)."""

    def __init__(self, *rows):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.rows = torch.tensor(rows)
        self.given = []

    def forward(self, pixel_values):
        self.given.append(tuple(pixel_values.shape))
        rows = self.rows.expand(len(pixel_values), -1, -1)
        return SimpleNamespace(logits=rows[..., :2].logit(), pred_boxes=rows[..., 2:])


@pytest.fixture
def copied(tiny_checkpoints, tmp_path):
    """A D-FINE folder to spoil."""
    return shutil.copytree(tiny_checkpoints["d_fine"], tmp_path / "dfine")


@pytest.mark.parametrize("kind", ["d_fine", "rt_detr_v2"])
def test_load_and_call__equals_the_processor_of_transformers(tiny_checkpoints, kind):
    folder = tiny_checkpoints[kind]
    images = [noise(80, 120), noise(200, 50), noise(64, 96)]
    detector = TransformersDetector.load(folder)
    detector._thresholds = (0.0, 1.0)  # random weights: keep every query
    found = detector(images)

    processor = transformers.RTDetrImageProcessorPil.from_pretrained(folder)
    network = transformers.AutoModelForObjectDetection.from_pretrained(folder, local_files_only=True).eval()
    with torch.inference_mode():
        output = network(**processor(images=images, return_tensors="pt"))
    sizes = [image.shape[:2] for image in images]
    expected = processor.post_process_object_detection(output, threshold=0.0, target_sizes=sizes)
    for got, all_classes in zip(found, expected, strict=True):
        # Theirs keeps the best 20 of 40 pairs of query and class; ours all 20 queries for "person".
        person = all_classes["labels"] == 1
        count = int(person.sum())
        assert 0 < count <= len(got) == 20
        np.testing.assert_allclose(got.scores[:count], all_classes["scores"][person], rtol=0, atol=1e-5)
        np.testing.assert_allclose(got.boxes_xyxy[:count], all_classes["boxes"][person], rtol=0, atol=1e-2)
        assert (np.diff(got.scores) <= 0).all()


def test_load__is_silent_and_needs_no_torchvision(tiny_checkpoints, capfd, caplog):
    assert transformers.utils.logging.is_progress_bar_enabled()
    detector = TransformersDetector.load(tiny_checkpoints["d_fine"], name="dfine-x")
    assert detector.name == "dfine-x"
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert "torchvision" not in sys.modules
    assert "timm" not in sys.modules


def test_call__threshold_order_and_suppression():
    network = FakeNetwork(
        (0.9, 0.1, 0.1, 0.1, 0.1, 0.1),
        (0.1, 0.5, 0.2, 0.5, 0.1, 0.1),
        (0.9, 0.6, 0.5, 0.5, 0.2, 0.4),
        (0.1, 0.9, 1.0, 1.0, 0.5, 0.5),
        (0.1, 0.7, 0.5, 0.5, 0.2, 0.4),
    )
    detector = TransformersDetector(network, AS_IS, person=1, name="fake", batch_size=2)
    found = detector([noise(100, 200), noise(10, 10), noise(40, 20)])
    assert network.given == [(2, 3, 64, 96), (1, 3, 64, 96)]
    np.testing.assert_allclose(found[0].boxes_xyxy, [[150, 75, 250, 125], [80, 30, 120, 70]], rtol=1e-5)
    np.testing.assert_allclose(found[0].scores, [0.9, 0.7], rtol=1e-5)
    np.testing.assert_allclose(found[2].boxes_xyxy[0], [15, 30, 25, 50], rtol=1e-5)
    assert found[0].boxes_xyxy.dtype == found[0].scores.dtype == np.float32


def test_call__no_pictures():
    assert TransformersDetector(FakeNetwork((0.1,) * 6), AS_IS, person=1, name="fake")([]) == []


def test_call__nan_is_an_error():
    detector = TransformersDetector(FakeNetwork((0.1, np.nan, 0.5, 0.5, 0.5, 0.5)), AS_IS, person=1, name="fake")
    with pytest.raises(NumericError, match="fake produced NaN"):
        detector([noise(8, 8)])


def test_load__without_transformers(copied, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError) as caught:
        TransformersDetector.load(copied)
    assert caught.value.hint == "pip install 'sapiens[detect]'"


def test_load__a_transformers_that_cannot_import_the_class(copied, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(__version__="4.0"))
    with pytest.raises(MissingDependencyError, match=r"transformers 4\.0 cannot provide DFineForObjectDetection"):
        TransformersDetector.load(copied)


def test_load__missing_file(copied):
    (copied / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match=r"holds no preprocessor_config\.json$|holds no preprocessor_config\.json "):
        TransformersDetector.load(copied)


def test_load__tensors_missing_or_misshapen(copied):
    tensors = load_file(copied / "model.safetensors")
    names = sorted(tensors)
    del tensors[names[0]]
    tensors[names[1]] = torch.zeros(3, 3)
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=rf"2 tensors are missing or have another shape: .*{names[0]}"):
        TransformersDetector.load(copied)


def test_load__tensors_of_something_else_are_told(copied, caplog):
    tensors = load_file(copied / "model.safetensors") | {"another.weight": torch.zeros(1)}
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    TransformersDetector.load(copied)
    assert "1 tensors are not part of the network" in caplog.text


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        pytest.param("config.json", {"model_type": "vit"}, r"network of type 'vit'; known: d_fine", id="network"),
        pytest.param(
            "config.json", {"id2label": {"0": "cat"}}, "none of its 1 classes .* is called person", id="classes"
        ),
        pytest.param("preprocessor_config.json", {"size": {"shortest_edge": 9}}, "expected a fixed size", id="size"),
        pytest.param("preprocessor_config.json", {"do_pad": True}, "expected a fixed size", id="padding"),
        pytest.param("preprocessor_config.json", {"resample": 3}, r"expected bilinear .* got 3", id="resample"),
    ],
)
def test_load__unexpected_config(copied, file, change, message):
    config = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(config | change))
    with pytest.raises(WeightsError, match=message):
        TransformersDetector.load(copied)


def test_load__capital_person(copied):
    config = json.loads((copied / "config.json").read_text()) | {"id2label": {"0": "Person", "1": "Sneakers"}}
    (copied / "config.json").write_text(json.dumps(config))
    assert TransformersDetector.load(copied)._person == 0


@pytest.mark.parametrize("content", ["{", "[]"])
def test_load__damaged_config(copied, content):
    (copied / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=r"config\.json: (cannot be read as JSON|expected a JSON object)"):
        TransformersDetector.load(copied)


def test_input__normalisation_of_the_checkpoint(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    config = {"size": {"height": 4, "width": 5}, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    path.write_text(json.dumps(config))
    assert Input.read(path) == Input((4, 5), (0.5,) * 3, (0.25,) * 3)
