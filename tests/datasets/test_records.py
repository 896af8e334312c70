import json

import pytest
from datasets.tiny import people
from PIL import Image

from sapiens.datasets import open_data
from sapiens.datasets.opening import open_part
from sapiens.errors import InputError


def test_records__files_without_partner_are_problems(fresh) -> None:
    (fresh / "parts/train/labels/0001.png").unlink()
    (fresh / "parts/train/images/0002.png").unlink()
    samples = open_part(str(fresh / "parts/train"), "seg")
    assert [sample.id for sample in samples] == ["0000", "0003"]
    assert [(problem.record, "has no" in problem.what) for problem in samples.problems] == [
        ("record 0001", True),
        ("record 0002", True),
    ]
    assert "no labels" in samples.problems[0].what
    assert "no image" in samples.problems[1].what


def test_records__folders_below_and_other_suffixes(fresh) -> None:
    root = fresh / "parts/train"
    (root / "images/deep").mkdir()
    (root / "labels/deep").mkdir()
    Image.fromarray(people()[4].image).save(root / "images/deep/x.bmp")
    Image.fromarray(people()[4].fields["labels"]).save(root / "labels/deep/x.png")
    (root / "images/.hidden.png").write_bytes(b"x")
    (root / "images/readme.txt").write_text("x")
    assert [sample.id for sample in open_data(root, "seg")] == ["0000", "0001", "0002", "0003", "deep/x"]


def test_records__two_files_of_one_name(fresh) -> None:
    Image.fromarray(people()[0].image).save(fresh / "parts/train/images/0000.bmp")
    with pytest.raises(InputError, match="two files for image"):
        open_data(fresh / "parts/train", "seg")


def test_records__list_with_ids_and_paths_of_its_own_folder(fresh) -> None:
    entries = [
        {"image": f"parts/train/images/{k:04d}.png", "labels": f"parts/train/labels/{k:04d}.png", "id": k}
        for k in range(3)
    ]
    (fresh / "l.json").write_text(json.dumps(entries))
    assert [sample.id for sample in open_data(fresh / "l.json", "seg")] == ["0", "1", "2"]
    (fresh / "l.jsonl").write_text("\n".join(map(json.dumps, entries)))
    assert len(open_data(fresh / "l.jsonl", "seg")) == 3


def test_records__all_problems_of_a_list_at_once(fresh) -> None:
    good = {"image": "parts/train/images/0000.png", "labels": "parts/train/labels/0000.png"}
    entries = [
        good,
        {**good},
        {"image": "x.png"},
        {"labels": "y.png"},
        5,
        {**good, "image": 7, "id": "n"},
        {**good, "image": "gone.png"},
    ]
    (fresh / "l.json").write_text(json.dumps(entries))
    with pytest.raises(InputError) as raised:
        open_data(fresh / "l.json", "seg")
    text = str(raised.value)
    assert "6 problems" in text
    assert "record 1: a second record" in text
    assert 'record 2: no "labels"' in text
    assert 'record 3: no "image"' in text
    assert "record 4: expected an object" in text
    assert 'record 5: "image" is 7' in text
    assert "gone.png: no such file" in text


BAD = [
    ("no such path", "nowhere", "no such file or folder"),
    ("no folder for labels", "people", "no folder for"),
    ("given folder is not there", "parts/train,labels=lables", "expected lables/"),
    ("a picture", "photo.jpg", "expected a folder"),
    ("unknown option", "parts/train,maps=a", "map"),
]


@pytest.mark.parametrize(("spec", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_records__nothing_to_read(made, monkeypatch, spec, message) -> None:
    monkeypatch.chdir(made)
    with pytest.raises(InputError) as raised:
        open_data(spec, "seg")
    assert message in str(raised.value)


DAMAGES = [
    ("cut off", lambda data: data[: len(data) // 2]),
    ("empty", lambda data: b""),
    ("text", lambda data: b"hello"),
    ("flipped bytes", lambda data: data[:60] + bytes(255 - b for b in data[60:90]) + data[90:]),
]


@pytest.mark.parametrize("damage", [row[1] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
@pytest.mark.parametrize("file", ["images/0001.png", "labels/0001.png"])
def test_records__damaged_picture_is_one_clear_line(fresh, damage, file) -> None:
    path = fresh / "parts/train" / file
    path.write_bytes(damage(path.read_bytes()))
    samples = open_data(fresh / "parts/train", "seg", check=False)
    with pytest.raises(InputError) as raised:
        samples[1]
    assert str(path) in raised.value.message
    assert "\n" not in raised.value.message
    assert samples[0].id == "0000"
