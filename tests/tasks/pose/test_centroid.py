"""Points of coarse heatmaps."""

import pytest
import torch

from sapiens.errors import InputError
from sapiens.tasks.pose.codec import decode_centroid, encode


def test_decode_centroid__finds_encoded_points_within_a_tenth_of_a_cell():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 40, 2, generator=generator) * torch.tensor([80.0, 110.0]) + torch.tensor([8.0, 8.0])
    maps, _ = encode(points, torch.ones(1, 40), (128, 96), (32, 24), sigma=0.75)
    cells = points / torch.tensor([95 / 23, 127 / 31])
    assert (decode_centroid(maps).peaks_uv - cells).abs().max() < 0.15


@pytest.mark.parametrize("corner", [(0, 0), (0, 23), (31, 0), (31, 23)], ids=str)
def test_decode_centroid__peaks_at_the_border_stay_inside(corner):
    maps = torch.zeros(1, 1, 32, 24)
    maps[0, 0, corner[0], corner[1]] = 1
    assert decode_centroid(maps).peaks_uv[0, 0].tolist() == [corner[1], corner[0]]


@pytest.mark.parametrize("value", [0.0, -1.0], ids=["empty", "negative"])
def test_decode_centroid__maps_without_a_peak_are_finite(value):
    found = decode_centroid(torch.full((2, 3, 4, 5), value))
    assert found.peaks_uv.isfinite().all()
    assert (found.scores == value).all()


def test_decode_centroid__wrong_shape_is_an_error():
    with pytest.raises(InputError, match="expected heatmaps"):
        decode_centroid(torch.zeros(3, 4, 5))
