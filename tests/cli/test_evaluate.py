import dataclasses
import json
import re
import shutil

import pytest
from command import sapiens_cli
from datasets.tiny import make_all
from helpers_evaluation import people

import sapiens.evaluation.heldout as heldout
from sapiens.tasks import TASKS

NETWORK = ("--size", "nano", "--weights", "untrained", "--device", "cpu")
VAL = {
    "pose": "people/keypoints_val.json",
    "seg": "parts/val",
    "normal": "normals/val",
    "pointmap": "depth/val",
    "matting": "mattes/val",
    "albedo": "albedo/val",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_all(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


@pytest.mark.parametrize("task", VAL)
def test_evaluate__files_of_each_task(here, tmp_path, task):
    json_file, page = tmp_path / "new" / "r.json", tmp_path / "p.html"
    outcome = sapiens_cli("evaluate", task, *NETWORK, "--data", VAL[task], "--json", json_file, "--page", page)
    assert outcome.exit_code == 0, outcome.shown
    assert f"{VAL[task]}, 2 records" in outcome.stdout
    (report,) = json.loads(json_file.read_text())["reports"]
    assert (report["task"], report["count"], report["failures"]) == (task, 2, [])
    assert report["headline"]["value"] is not None
    assert report["trivial"] == {}
    name = report["headline"]["metric"]
    assert re.search(rf"{task} +{re.escape(name)} +(high|low) +{report['headline']['value']:.4g}\n", outcome.stdout)
    assert page.read_text().count("<figure>") == 2


def test_evaluate__several_tasks_with_trivial_answers(here, tmp_path):
    outcome = sapiens_cli(
        "evaluate", "seg,normal", *NETWORK, "--data", "synth:seed=4,count=3,size=32x32", "--baseline-data",
        "synth:seed=5,count=4,size=32x32", "--json", tmp_path / "r.json", "--limit", 2, "-q",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.shown
    reports = json.loads((tmp_path / "r.json").read_text())["reports"]
    assert [(report["task"], report["count"], list(report["trivial"])) for report in reports] == [
        ("seg", 2, ["majority class", "mean map"]),
        ("normal", 2, ["flat plane", "mean map"]),
    ]
    assert "majority class" in outcome.stdout or "mean map" in outcome.stdout
    assert outcome.stderr == ""


def test_evaluate__cut_out_people_get_a_background(here):
    outcome = sapiens_cli("evaluate", "matting", *NETWORK, "--data", "mattes/cutouts")
    assert outcome.exit_code == 0, outcome.shown


def test_evaluate__bad_records_are_listed_and_the_exit_code_says_so(here, tmp_path):
    shutil.copytree(here / "parts" / "val", tmp_path / "val")
    first, *_ = sorted((tmp_path / "val" / "labels").iterdir())
    first.write_bytes(b"no picture")
    outcome = sapiens_cli("evaluate", "seg", *NETWORK, "--data", tmp_path / "val", "--json", tmp_path / "r.json")
    assert outcome.exit_code == 1
    assert str(first) in outcome.stderr
    assert "failed: 1 of 2 records were left out" in outcome.stderr
    (report,) = json.loads((tmp_path / "r.json").read_text())["reports"]
    assert report["count"] == 1
    assert "miou" in outcome.stdout


def test_evaluate__all_on_the_held_out_sets(monkeypatch, tmp_path):
    """Other pictures in place of the sets' own: 256 of them take minutes."""

    class Small(heldout.HeldOut):
        def pictures(self):
            return people()[:3]

        def trivial_pictures(self):
            return people()[3:]

    monkeypatch.setattr(heldout, "HELD_OUT", tuple(Small(**dataclasses.asdict(s)) for s in heldout.HELD_OUT))
    outcome = sapiens_cli("evaluate", "--all", *NETWORK, "--json", tmp_path / "r.json", "-O", "flip=false")
    assert outcome.exit_code == 0, outcome.shown
    content = json.loads((tmp_path / "r.json").read_text())
    assert [(r["task"], r["data"]) for r in content["reports"]] == [
        (task, name) for task in TASKS for name in ("one person", "one to four people")
    ]
    assert all(report["trivial"] for report in content["reports"])
    machine, empty, head, *rows = outcome.stdout.splitlines()
    assert (machine, empty) == (content["machine"], "")
    assert head.split() == ["data", "task", "number", "good", "sapiens2_nano", "trivial", "answers"]
    assert len([row for row in rows if "mean_deg" in row and row.startswith("one person")]) == 2


@pytest.mark.parametrize(
    ("word", "arguments", "says"),
    [
        ("no task", (), "expected the tasks"),
        ("tasks and all", ("seg", "--all"), "expected the tasks"),
        ("unknown task", ("segg",), "unknown task 'segg'"),
        ("no such data", ("seg", "--data", "gone/parts"), "no such file or folder"),
        ("no such format", ("seg", "--data", "labelz:x"), "unknown data format"),
        ("a folder to write to", ("seg", "--json", "."), "is a folder"),
        ("unknown option", ("seg", "-O", "flop=1"), "unknown option 'flop'"),
        ("detector of another task", ("seg", "--detector", "parts"), "--detector is for pose"),
        ("held-out sets have their own", ("seg", "--baseline-data", "synth:count=3"), "--baseline-data"),
        ("weights of which task", ("seg,normal", "--weights", "w.safetensors"), "say which task"),
        ("data without the task", ("pose", "--data", "labels:."), "nothing for pose"),
    ],
)
def test_evaluate__bad_arguments_are_one_line(tmp_path, monkeypatch, word, arguments, says):
    monkeypatch.chdir(tmp_path)
    network = () if "--weights" in arguments else ("--weights", "untrained")
    outcome = sapiens_cli("evaluate", "--size", "nano", *network, *arguments)
    assert outcome.exit_code == 1
    assert says in outcome.shown
