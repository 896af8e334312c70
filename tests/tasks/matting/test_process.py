"""Mattes: recorded numbers, odd sizes, alpha-only networks."""

import numpy as np
import pytest
import torch
from helpers_dense import ODD_SIZES_HW, PICTURES, finish, golden, random_picture, rgb

from sapiens.tasks.matting.process import forward, preprocess

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("compat", ["default", "reference"])
@pytest.mark.parametrize("name", PICTURES)
def test_postprocess__recorded_alpha(name, compat):
    record = golden("matting")
    result = finish("matting", record[f"network_{name}"], rgb(record[f"image_{name}"]), compat)
    np.testing.assert_allclose(result.alpha, record[f"alpha_{name}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [4, 1])
@pytest.mark.parametrize("size_hw", ODD_SIZES_HW, ids=str)
def test_postprocess__odd_sizes(size_hw, channels):
    result = finish("matting", RNG.random((channels, 16, 12)), random_picture(size_hw))
    assert result.alpha.shape == size_hw
    assert 0 <= result.alpha.min() <= result.alpha.max() <= 1
    assert (result.foreground is None) == (channels == 1)
    if channels == 4:
        assert result.foreground.shape == (*size_hw, 3)


def test_postprocess__alpha_is_the_last_channel():
    raw = np.stack([np.full((16, 12), v, np.float32) for v in (0.1, 0.2, 0.3, 0.4)])
    result = finish("matting", raw, random_picture((5, 4)))
    np.testing.assert_allclose(result.alpha, 0.4, atol=1e-6)
    np.testing.assert_allclose(result.foreground[0, 0], [0.1, 0.2, 0.3], atol=1e-6)


def test_preprocess__stretches_by_area_or_linear():
    from sapiens.imaging.frame import Frame
    from sapiens.tasks.base import Setup

    (item,) = preprocess(Frame(random_picture((10, 12)), "x"), None, Setup((32, 24), "default", None))
    assert item.input.shape == (32, 24, 3)
    assert item.geometry.enlarge == "linear"


def test_forward__names_the_matte():
    x = torch.zeros(2, 4, 8, 6)
    assert forward(torch.nn.Identity(), x, None)["matte"] is x
