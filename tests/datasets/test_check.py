import json
import pickle

import numpy as np
import pytest
from datasets.tiny import people

from sapiens.datasets import check_data, open_data, validate
from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.sample import Sample

SPECS = [
    ("pose", "people/keypoints_train.json"),
    ("pose", "people/keypoints_wholebody_train.json"),
    ("pose", "people/keypoints_308_train.json"),
    ("pose", "people/list_train.json"),
    ("seg", "parts/train"),
    ("normal", "normals/train"),
    ("pointmap", "depth/train"),
    ("pointmap", "points:depth/train"),
    ("matting", "mattes/train"),
    ("matting", "rgba:mattes/cutouts"),
    ("albedo", "albedo/train"),
]


@pytest.mark.parametrize(("task", "spec"), SPECS)
def test_check_data__good_data(made, monkeypatch, task, spec) -> None:
    monkeypatch.chdir(made)
    report = check_data(spec, task)
    assert (report.count, report.read, report.problems, report.usable) == (4, 4, (), True)
    assert report.sizes_hw == ((64, 48), (64, 48))
    assert "no problems" in report.text()
    assert json.loads(json.dumps(report.to_dict()))["count"] == 4
    samples = open_data(spec, task)
    assert len(samples) == 4
    # What a worker process gets.
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(samples))[3].image, samples[3].image)


def test_check_data__all_problems_with_file_and_record(fresh) -> None:
    root = fresh / "parts/train"
    (root / "labels/0000.png").write_bytes(b"")
    (root / "images/0001.png").write_bytes(b"GIF89a")
    (root / "labels/0002.png").unlink()
    report = check_data(root, "seg")
    assert [problem.record for problem in report.problems] == ["record 0002", "record 0000", "record 0001"]
    assert {problem.file for problem in report.problems} == {str(root)}
    assert report.read == 1
    assert "3 problems" in report.text()


def test_check_data__every_problem_is_named_once(fresh) -> None:
    (fresh / "people/train/0000.png").unlink()
    report = check_data(fresh / "people/keypoints_train.json", "pose")
    assert len(report.problems) == 1


def test_check_data__at_most_reads_that_many_over_the_whole(fresh) -> None:
    (fresh / "parts/train/labels/0003.png").write_bytes(b"")
    assert len(check_data(fresh / "parts/train", "seg", at_most=2).problems) == 1
    assert check_data(fresh / "parts/train", "seg", at_most=1).problems == ()


def test_validate__samples_of_a_users_own_sequence() -> None:
    bad = Sample(people()[0].image, "bare", {})
    problems = validate([people()[0], bad], "seg")
    assert [str(problem) for problem in problems] == ["list, bare: has no labels"]


def test_check_data__report_caps_what_it_prints_and_counts_the_rest(tmp_path) -> None:
    (tmp_path / "l.json").write_text(json.dumps([{"image": f"{k}.png", "labels": f"{k}.png"} for k in range(50)]))
    text = check_data(tmp_path / "l.json", "seg").text()
    assert text.count("l.json, record ") == 20
    assert "and 30 more" in text


def test_check_data__several_tasks_need_all_their_fields() -> None:
    report = check_data("synth:count=2,size=32x32,people=1-2", "pose,seg,normal,pointmap,matting,albedo")
    assert report.usable
    assert report.fields["keypoints"] == 2


BAD = [
    ("unknown task", "synth", "segm", UnknownNameError, "seg"),
    ("format of another task", "coco:parts/train", "seg", InputError, "coco has nothing for seg"),
    ("folder for two tasks", "parts/train", "pose,seg", InputError, "shards"),
    ("format without path", "labels", "seg", InputError, "expected a path"),
    ("synth with a path", "synth:somewhere", "seg", InputError, "options only"),
    ("synth of no people", "synth:people=0", "seg", InputError, "1 to 4 people"),
    ("synth of words", "synth:size=big", "seg", InputError, "HEIGHTxWIDTH"),
    ("synth of nothing", "synth:count=0", "seg", InputError, "at least 1"),
    ("mixture with options", "mix.toml,weight=2", "seg", InputError, "takes no options"),
    ("folder for pose", "people", "pose", InputError, ".json"),
]


@pytest.mark.parametrize(("spec", "task", "kind", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_open_data__what_cannot_be_opened(made, monkeypatch, spec, task, kind, message) -> None:
    monkeypatch.chdir(made)
    with pytest.raises(kind) as raised:
        open_data(spec, task)
    assert message in str(raised.value)


def test_open_data__synth_is_kept_in_the_cache_and_the_same_again(tmp_path) -> None:
    spec = f"synth:seed=3,count=3,size=32x24,people=1-2,cache={tmp_path}"
    first = open_data(spec, "normal")[2]
    assert list(tmp_path.rglob("*.safetensors"))
    again = open_data(spec, "normal")[2]
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_allclose(np.linalg.norm(first.fields["normals"][first.fields["mask"]], axis=-1), 1, atol=2e-3)
    with pytest.raises(IndexError):
        open_data(spec, "normal")[3]


def test_package__costs_nothing_until_used() -> None:
    import subprocess
    import sys

    code = "import sys, sapiens.datasets; print([m for m in ('torch', 'cv2', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
