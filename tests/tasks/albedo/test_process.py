"""Albedo: ranges and odd sizes."""

import numpy as np
import pytest
import torch
from helpers_dense import ODD_SIZES_HW, PICTURES, finish, golden, random_picture, rgb

from sapiens.tasks.albedo.process import forward

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("size_hw", ODD_SIZES_HW, ids=str)
def test_postprocess__odd_sizes(size_hw):
    albedo = finish("albedo", RNG.normal(size=(3, 64, 48)), random_picture(size_hw)).albedo
    assert albedo.shape == (*size_hw, 3)
    assert albedo.dtype == np.float32


def test_postprocess__clamps_before_resizing():
    raw = np.zeros((3, 16, 12), np.float32)
    raw[:, :, 6:] = 9
    albedo = finish("albedo", raw, random_picture((32, 24))).albedo
    np.testing.assert_allclose(albedo[0, 10:14, 0], [0, 0.25, 0.75, 1], atol=1e-6)


@pytest.mark.parametrize("name", PICTURES)
def test_postprocess__same_in_both_modes(name):
    record = golden("albedo")
    network, image = record[f"network_{name}"], rgb(record[f"image_{name}"])
    default, reference = finish("albedo", network, image), finish("albedo", network, image, "reference")
    np.testing.assert_array_equal(default.albedo, reference.albedo)
    assert 0 <= default.albedo.min() < default.albedo.max() <= 1


def test_forward__names_the_albedo():
    x = torch.zeros(2, 3, 8, 6)
    assert forward(torch.nn.Identity(), x, None)["albedo"] is x
