import json

import pytest
from command import sapiens_cli
from datasets.tiny import make_all
from PIL import Image


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


def test_check__good_data(here) -> None:
    outcome = sapiens_cli("data", "check", "seg", "parts/train")
    assert outcome.exit_code == 0
    assert "4 records for seg, 4 read in full" in outcome.stdout
    assert "no problems" in outcome.stdout


def test_check__problems_are_listed_and_the_exit_code_says_so(here, tmp_path) -> None:
    (tmp_path / "l.json").write_text(json.dumps([{"image": "gone.png", "labels": "gone.png"}]))
    outcome = sapiens_cli("data", "check", "seg", tmp_path / "l.json")
    assert outcome.exit_code == 1
    assert "record gone: " in outcome.stdout
    report = json.loads(sapiens_cli("data", "check", "seg", tmp_path / "l.json", "--json").stdout)
    assert report["problems"][0]["record"] == "record gone"


@pytest.mark.parametrize(
    ("task", "spec"),
    [
        ("pose", "people/keypoints_train.json"),
        ("seg", "parts/train"),
        ("normal", "normals/train"),
        ("pointmap", "depth/train"),
        ("matting", "mattes/cutouts"),
        ("albedo", "albedo/train"),
        ("pose,seg", "synth:count=2,size=32x32"),
    ],
)
def test_show__one_sheet(here, tmp_path, task, spec) -> None:
    outcome = sapiens_cli("data", "show", task, spec, "-o", tmp_path, "-n", 3)
    assert outcome.exit_code == 0, outcome.shown
    with Image.open(tmp_path / "samples.png") as sheet:
        assert min(sheet.size) > 200
        assert len(sheet.getcolors(1 << 24)) > 100


def test_shards__can_be_trained_on(here, tmp_path) -> None:
    outcome = sapiens_cli("data", "shards", "seg", "mix.toml", "-o", tmp_path, "--per-shard", 10, "--prefix", "mixed")
    assert outcome.exit_code == 0, outcome.shown
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["mixed-0000.tar", "mixed-0001.tar"]
    again = sapiens_cli("data", "check", "seg", f"shards:{tmp_path}/mixed-{{0000..0001}}.tar")
    assert again.exit_code == 0
    assert "16 records" in again.stdout


BAD = [
    ("unknown action", ("chekc", "seg", "parts/train"), "check"),
    ("no folder", ("show", "seg", "parts/train"), "expected a folder"),
    ("no such data", ("check", "seg", "nowhere"), "nowhere: no such file"),
    ("unknown task", ("check", "segs", "parts/train"), "seg"),
]


@pytest.mark.parametrize(("words", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_data__bad_arguments(here, words, message) -> None:
    outcome = sapiens_cli("data", *words)
    assert outcome.exit_code == 1
    assert message in outcome.shown
