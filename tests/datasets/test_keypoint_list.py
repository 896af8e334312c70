import json

import numpy as np
import pytest
from datasets.tiny import people

from sapiens.datasets import open_data
from sapiens.datasets.opening import open_part
from sapiens.errors import InputError


def test_list__points_by_name(made) -> None:
    samples = open_data(made / "people/list_train.json", "pose")
    assert len(samples) == 4
    for sample, truth in zip(samples, people(), strict=False):
        np.testing.assert_allclose(sample.fields["keypoints"], truth.fields["keypoints"], atol=1e-3)


def test_list__308_points_in_order_as_json_lines(made, tmp_path) -> None:
    lines = [
        {"image": f"{k:04d}.png", "id": f"p{k}", "keypoints": people()[k].fields["keypoints"].tolist()}
        for k in range(2)
    ]
    (tmp_path / "l.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    samples = open_data(f"{tmp_path / 'l.jsonl'},images={made / 'people/train'}", "pose")
    assert [sample.id for sample in samples] == ["p0", "p1"]
    np.testing.assert_allclose(samples[1].fields["keypoints"], people()[1].fields["keypoints"], atol=1e-3)
    known = people()[1].fields["keypoints"]
    known = known[known[:, 2] > 0]
    assert samples[1].extra["box_xyxy"].tolist() == [*known.min(0)[:2], *known.max(0)[:2]]


def test_list__points_without_visibility_are_seen(tmp_path, made) -> None:
    (tmp_path / "l.json").write_text(
        json.dumps([{"image": "0000.png", "keypoints": {"nose": [5, 6], "left_eye": [9, 9, 1]}}])
    )
    sample = open_data(f"{tmp_path / 'l.json'},images={made / 'people/train'}", "pose")[0]
    assert sample.fields["keypoints"][:2].tolist() == [[5, 6, 2], [9, 9, 1]]


BAD = [
    ("unknown name", {"image": "a.png", "keypoints": {"left_eyes": [1, 2, 2]}}, "left_eyes"),
    ("nobody", {"image": "a.png", "keypoints": {}}, "no labelled keypoint"),
    ("all unknown", {"image": "a.png", "keypoints": [[0, 0, 0]] * 308}, "no labelled keypoint"),
    ("307 points", {"image": "a.png", "keypoints": [[1, 1, 1]] * 307}, "308 points"),
    ("no image", {"keypoints": {"nose": [1, 2]}}, 'expected an object with "image"'),
    ("box of no area", {"image": "a.png", "keypoints": {"nose": [1, 2]}, "box": [4, 4, 4, 9]}, "no area"),
    ("infinite", {"image": "a.png", "keypoints": {"nose": [float("inf"), 2]}}, "NaN or infinite"),
    ("one number", {"image": "a.png", "keypoints": {"nose": 4}}, "nose is 4"),
]


@pytest.mark.parametrize(("entry", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_list__bad_record_is_listed_beside_the_good_ones(made, tmp_path, entry, message) -> None:
    good = json.loads((made / "people/list_train.json").read_text())
    (tmp_path / "l.json").write_text(json.dumps([*good, entry]))
    samples = open_part(f"{tmp_path / 'l.json'},images={made / 'people'}", "pose")
    assert len(samples) == 4
    assert len(samples.problems) == 1
    assert samples.problems[0].record == "record 4"
    assert message in samples.problems[0].what


def test_list__all_problems_at_once(made, tmp_path) -> None:
    (tmp_path / "l.json").write_text(json.dumps([row[1] for row in BAD] * 4))
    with pytest.raises(InputError) as raised:
        open_data(tmp_path / "l.json", "pose")
    assert str(raised.value).count("l.json, record") == 20
    assert "and 12 more" in str(raised.value)
