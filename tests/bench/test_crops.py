from __future__ import annotations

import numpy as np
import pytest

from sapiens.bench import crops
from sapiens.bench.small_people import small_people


@pytest.mark.parametrize("index", range(3))
def test_small_people__truth_agrees_with_the_camera(index):
    sample = small_people(5, index, (192, 256), people=2, farther=3.0)
    near = small_people(5, index, (192, 256), people=2, farther=1.0)
    mask, depth = sample.fields["mask"], sample.fields["depth_m"]
    assert 2 < np.median(depth[mask]) / np.median(near.fields["depth_m"][near.fields["mask"]]) < 4
    assert mask.sum() < 0.5 * near.fields["mask"].sum()
    np.testing.assert_allclose(np.linalg.norm(sample.fields["normals"][mask], axis=-1), 1, atol=1e-3)
    for x1, y1, x2, y2 in sample.extra["boxes_xyxy"]:
        assert mask[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].any()
    # Surfaces that are seen face the camera: along the ray through their own pixel, not along the axis.
    rows, columns = np.nonzero(mask)
    camera = sample.extra["intrinsics"]
    rays = np.stack([(columns - camera[0, 2]) / camera[0, 0], -(rows - camera[1, 2]) / camera[1, 1]], -1)
    facing = (sample.fields["normals"][mask] * np.pad(-rays, ((0, 0), (0, 1)), constant_values=1)).sum(-1)
    assert (facing > -0.05).mean() > 0.99


def test_run__a_row_for_every_number(monkeypatch):
    monkeypatch.setattr(crops, "SIZE_HW", (144, 192))
    monkeypatch.setattr(crops, "FRAMES", 2)
    monkeypatch.setattr(crops, "PICTURES", 1)
    monkeypatch.setattr(crops, "NUMBERS", {"matting": {"alpha_mae": "alpha MAE"}})
    outcome = crops.run(repeats=1)
    assert [row["number"] for row in outcome["rows"]] == ["alpha MAE", "s a picture", "flicker"]
    assert all(0 <= row[way] < 1 for row in outcome["rows"][::2] for way in row if way not in ("task", "number"))
    assert {"per person, crops anew", "true boxes, crops anew"} < set(outcome["rows"][2])
    assert "1 pictures of 192x144" in outcome["title"]
