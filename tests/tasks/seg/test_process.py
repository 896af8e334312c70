"""Part labels: recorded numbers, odd sizes, options, bounded memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from helpers_dense import ODD_SIZES_HW, PICTURES, finish, golden, random_picture, rgb

from sapiens.errors import InputError
from sapiens.tasks.seg import process

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("compat", ["default", "reference"])
@pytest.mark.parametrize("name", PICTURES)
def test_postprocess__recorded_labels(name, compat):
    record = golden("seg")
    result = finish("seg", record[f"logits_{name}"], rgb(record[f"image_{name}"]), compat)
    expected = record[f"labels_{name}"]
    assert result.labels.shape == expected.shape
    assert np.mean(result.labels != expected) <= 0.0005


@pytest.mark.parametrize("size_hw", ODD_SIZES_HW, ids=str)
def test_postprocess__odd_sizes(size_hw):
    result = finish("seg", RNG.normal(size=(29, 16, 12)), random_picture(size_hw), probabilities=True)
    assert result.labels.shape == size_hw
    assert result.probabilities.shape == (*size_hw, 29)


def test_postprocess__probabilities():
    logits = RNG.normal(size=(29, 16, 12)) * 3
    image = random_picture((40, 30))
    result = finish("seg", logits, image, probabilities=True)
    total = result.probabilities.astype(np.float32).sum(-1)
    np.testing.assert_allclose(total, 1, atol=5e-3)
    best = np.take_along_axis(result.probabilities, result.labels[..., None].astype(np.int64), -1)[..., 0]
    np.testing.assert_array_equal(best, result.probabilities.max(-1))
    assert finish("seg", logits, image).probabilities is None


def test_postprocess__small_bands_same_labels(monkeypatch):
    logits, image = RNG.normal(size=(29, 16, 12)), random_picture((301, 97))
    whole = finish("seg", logits, image, probabilities=True)
    monkeypatch.setattr(process, "BAND_BYTES", 29 * 97 * 4 * 10)
    banded = finish("seg", logits, image, probabilities=True)
    np.testing.assert_array_equal(banded.labels, whole.labels)
    np.testing.assert_allclose(banded.probabilities, whole.probabilities, atol=1e-3)


def test_postprocess__bands_stay_within_the_limit(monkeypatch):
    logits, image, limit = RNG.normal(size=(29, 16, 12)), random_picture((2000, 600)), 4 << 20
    sizes = []

    def spy(maps, size_hw, **settings):
        for rows, band in process_bands(maps, size_hw, **settings):
            sizes.append(band.numel() * band.element_size())
            yield rows, band

    process_bands = process.resize_bands
    monkeypatch.setattr(process, "resize_bands", spy)
    monkeypatch.setattr(process, "BAND_BYTES", limit)
    tracemalloc.start()
    result = finish("seg", logits, image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(sizes) <= limit
    assert peak < 4 * result.labels.nbytes + limit, "NumPy holds little more than the labels"


def test_options__not_a_switch():
    with pytest.raises(InputError, match="expected true or false, got 'no'"):
        process.SegOptions(probabilities="no")


def test_forward__names_the_logits():
    x = torch.zeros(2, 3, 8, 6)
    assert process.forward(torch.nn.Identity(), x, None)["logits"] is x


def test_preprocess__stretches_by_area_or_cubic():
    from sapiens.imaging.frame import Frame
    from sapiens.tasks.base import Setup

    (item,) = process.preprocess(Frame(random_picture((10, 12)), "x"), None, Setup((32, 24), "default", None))
    assert item.input.shape == (32, 24, 3)
    assert item.geometry.enlarge == "cubic"
