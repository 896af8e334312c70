"""Normals: recorded numbers, unit lengths, axes, odd sizes."""

import numpy as np
import pytest
import torch
from helpers_dense import ODD_SIZES_HW, PICTURES, finish, golden, random_picture, rgb

from sapiens.errors import UnknownNameError
from sapiens.tasks.normal import NormalOptions
from sapiens.tasks.normal.process import forward

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("name", PICTURES)
def test_postprocess__reference_numbers(name):
    record = golden("normal")
    result = finish("normal", record[f"network_{name}"], rgb(record[f"image_{name}"]), "reference")
    np.testing.assert_allclose(result.normals, record[f"normal_{name}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PICTURES)
def test_postprocess__default_is_the_reference_at_unit_length(name):
    record = golden("normal")
    normals = finish("normal", record[f"network_{name}"], rgb(record[f"image_{name}"])).normals
    lengths = np.linalg.norm(normals, axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    reference = record[f"normal_{name}"]
    assert np.linalg.norm(reference, axis=-1).min() < 0.99
    np.testing.assert_allclose(normals, reference / np.linalg.norm(reference, axis=-1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize("compat", ["default", "reference"])
@pytest.mark.parametrize("size_hw", ODD_SIZES_HW, ids=str)
def test_postprocess__odd_sizes(size_hw, compat):
    result = finish("normal", RNG.normal(size=(3, 64, 48)), random_picture(size_hw), compat)
    assert result.normals.shape == (*size_hw, 3)
    assert result.normals.dtype == np.float32


@pytest.mark.parametrize("compat", ["default", "reference"])
def test_postprocess__zero_vectors_stay_finite(compat):
    raw = np.zeros((3, 16, 12), np.float32)
    raw[2, :, :6], raw[2, :, 6:] = 1, -1
    raw[:, 8:] = 0
    normals = finish("normal", raw, random_picture((32, 23)), compat).normals
    assert np.isfinite(normals).all()
    assert np.linalg.norm(normals, axis=-1).max() <= 1 + 1e-6
    assert not normals[-1].any()


def test_postprocess__axes_option():
    raw, image = RNG.normal(size=(3, 16, 12)), random_picture((20, 15))
    released, opencv = finish("normal", raw, image), finish("normal", raw, image, axes="opencv")
    assert (released.opencv, opencv.opencv) == (False, True)
    np.testing.assert_array_equal(opencv.normals, released.normals * [1, -1, -1])


def test_options__unknown_axes():
    with pytest.raises(UnknownNameError, match="did you mean 'opencv'"):
        NormalOptions(axes="opencvv")


def test_forward__names_the_normals():
    x = torch.zeros(2, 3, 8, 6)
    assert forward(torch.nn.Identity(), x, None)["normals"] is x
