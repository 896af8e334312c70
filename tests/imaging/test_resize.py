"""Resizing of network outputs, whole and in bands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sapiens.errors import InputError
from sapiens.imaging.resize import resize_bands, resize_image, resize_maps

SIZES = [
    pytest.param((48, 36), (101, 83), id="enlarging"),
    pytest.param((48, 36), (41, 29), id="shrinking"),
    pytest.param((1024, 8), (1801, 13), id="tall"),
    pytest.param((256, 192), (256, 192), id="same size"),
    pytest.param((512, 6), (77, 501), id="one way each"),
    pytest.param((1, 1), (5, 3), id="from one pixel"),
    pytest.param((7, 9), (1, 1), id="to one pixel"),
]


def maps_of(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize("max_bytes", [1, 10_000, 1 << 30], ids=["rows", "bands", "all at once"])
def test_bands__equal_one_resize(source, target, max_bytes: int) -> None:
    maps = maps_of(1, 3, *source)
    expected = F.interpolate(maps, target, mode="bilinear", align_corners=False)
    row = 0
    for rows, band in resize_bands(maps, target, max_bytes):
        assert rows.start == row
        assert band.shape == (1, 3, rows.stop - rows.start, target[1])
        torch.testing.assert_close(band, expected[..., rows, :], rtol=0, atol=1e-6)
        row = rows.stop
    assert row == target[0]


def test_bands__stay_within_the_memory_asked_for() -> None:
    bands = list(resize_bands(maps_of(29, 16, 12), (300, 200), max_bytes=29 * 200 * 4 * 7))
    assert [rows.stop - rows.start for rows, _ in bands] == [7] * 42 + [6]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_bands__keep_the_dtype(dtype: torch.dtype) -> None:
    maps = maps_of(1, 2, 20, 10).to(dtype)
    expected = resize_maps(maps, (33, 21))
    got = torch.cat([band for _, band in resize_bands(maps, (33, 21), 500)], dim=-2)
    assert got.dtype == dtype
    torch.testing.assert_close(got, expected, rtol=1e-2 if dtype.itemsize == 2 else 1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "max_bytes"), [((0, 4), 100), ((4, 4), 0)], ids=["no rows", "no bytes"])
def test_bands__refuse(size, max_bytes: int) -> None:
    with pytest.raises(InputError, match="positive"):
        next(resize_bands(maps_of(1, 4, 4), size, max_bytes))


@pytest.mark.parametrize("lead", [(), (2,), (2, 1, 3)], ids=str)
def test_resize_maps__any_leading_axes(lead) -> None:
    maps = maps_of(*lead, 3, 8, 6)
    out = resize_maps(maps, (13, 11))
    assert out.shape == (*lead, 3, 13, 11)
    flat = F.interpolate(maps.reshape(-1, 3, 8, 6), (13, 11), mode="bilinear", align_corners=False)
    assert torch.equal(out.reshape(-1, 3, 13, 11), flat)


def test_resize_maps__same_size_changes_nothing() -> None:
    maps = maps_of(1, 3, 8, 6)
    assert torch.equal(resize_maps(maps, (8, 6)), maps)


def test_resize_image__area_averages() -> None:
    checker = np.indices((8, 8)).sum(0) % 2 * 200
    image = np.repeat(checker.astype(np.uint8)[..., None], 3, 2)
    assert np.unique(resize_image(image, (4, 4), "area")).tolist() == [100]
