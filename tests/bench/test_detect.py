from __future__ import annotations

import pytest
import torch

from sapiens.bench import detect
from sapiens.detection import DETECTORS


@pytest.mark.parametrize("name", DETECTORS)
def test_random_network__has_the_published_parameters(name):
    with torch.device("meta"):
        network = detect.random_network(name)
    counted = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert counted == pytest.approx(DETECTORS[name].params_m, rel=0.04)


def test_run__rows(monkeypatch):
    monkeypatch.setattr(detect, "PICTURE_HW", (60, 80))
    outcome = detect.run(repeats=2, names=["dfine-s"])
    (row,) = outcome["rows"]
    assert row["detector"] == "dfine-s"
    assert row["multiply-adds, G"] == pytest.approx(25 / 2, rel=0.15)  # published: 25 GFLOPs, two per multiply-add
    assert 0 < row["ms, fastest"] <= row["ms, median"]
    assert "80x60" in outcome["title"]
