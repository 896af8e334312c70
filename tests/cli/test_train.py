"""`sapiens train` from the command: what it writes, resumes, refuses and says."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command import sapiens_cli
from safetensors.torch import load_file

import sapiens

DATA = "synth:count=6,size=64x48,cache=rendered"
VAL = "synth:seed=5,count=2,size=64x48,cache=rendered"
SMALL = ("--set", "iterations=4", "--set", "batch_size=2", "--set", "workers=0", "--set", "save_every=2", "--set",
         "log_every=1", "--set", "validate_every=2", "--set", "pictures_every=2", "--device", "cpu")  # fmt: skip


def train(*words):
    return sapiens_cli("train", *words)


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """All start in one folder, so that pictures are rendered once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        yield


@pytest.fixture(scope="module")
def finished(here, tmp_path_factory):
    """A run of two tasks, with validation."""
    folder = tmp_path_factory.mktemp("runs") / "joint"
    outcome = train("seg,normal", "--size", "nano", "--data", DATA, "--val", VAL, "-o", folder, *SMALL)
    assert outcome.exit_code == 0, outcome.shown
    return folder, outcome


def test_train__writes_what_the_docs_list(finished):
    folder, outcome = finished
    assert outcome.stdout.strip() == str(folder / "model.safetensors")
    names = {path.name for path in folder.iterdir()}
    wanted = {"recipe.json", "run.json", "log.jsonl", "checkpoints", "best.safetensors", "model.safetensors"}
    assert names == wanted | {"pictures", "tensorboard"}
    assert [path.name for path in sorted((folder / "pictures").iterdir())] == ["step_00000002.png", "step_00000004.png"]
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["task"], recipe["iterations"], recipe["optim"]["kind"]) == ("seg,normal", 4, "muon")
    assert set(recipe["parts"]) == {"seg", "normal"}


def test_train__says_what_will_run_and_how_it_goes(finished):
    _, outcome = finished
    said = " ".join(outcome.stderr.split())
    assert "train seg,normal at nano, input 128x96, from nothing" in said
    assert f"data: {DATA}, 6 records; validation: {VAL}, 2 records" in said
    assert "4 updates of 2 pictures" in said
    assert "parameters trained (100 %)" in said
    assert "update 2: score" in said
    assert "normal/mean_deg" in said


def test_train__validates_each_task_and_keeps_the_best(finished):
    folder, _ = finished
    measured = [line for line in lines(folder) if "val/score" in line]
    assert [line["update"] for line in measured] == [2, 4]
    assert {"val/seg/miou", "val/normal/mean_deg"} <= set(measured[0])
    state = json.loads((folder / "checkpoints" / "step_00000004" / "state.json").read_text())
    assert state["best"][0] == pytest.approx(max(line["val/score"] for line in measured))


@pytest.mark.parametrize("task", ["seg", "normal"])
def test_train__every_verb_takes_the_run_as_weights(task, finished):
    folder, _ = finished
    result = sapiens.load(task, weights=folder, device="cpu")(np.zeros((20, 30, 3), np.uint8))
    assert result.meta.size_hw == (20, 30)
    outcome = sapiens_cli("evaluate", task, "--weights", folder, "--size", "nano", "--data", VAL, "--device", "cpu")
    assert outcome.exit_code == 0, outcome.shown


def test_train__starts_from_a_run(finished, tmp_path):
    folder, _ = finished
    words = ("seg", "--size", "nano", "--data", DATA, "-o", tmp_path / "next", "--weights", folder, *SMALL)
    outcome = train(*words, "--set", "tune=lora:2", "--set", "iterations=1")
    assert outcome.exit_code == 0, outcome.shown
    assert "from a checkpoint of the task" in outcome.stderr
    before, after = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "next"))
    name = "backbone.patch_embed.projection.weight"
    assert (before[name] == after[name]).all()
    assert any(not (before[n] == after[n]).all() for n in after if ".attn.w" in n)


def test_train__dry_run_says_the_memory_and_writes_nothing(tmp_path):
    said = {}
    for tune in ("all", "head", "blocks:2", "lora:4"):
        words = ("normal", "--size", "nano", "--data", DATA, "-o", tmp_path / "run", "--set", f"tune={tune}")
        outcome = train(*words, "--dry-run", "--device", "cpu")
        assert outcome.exit_code == 0, outcome.shown
        (line,) = [line for line in outcome.stderr.splitlines() if "parameters trained" in line]
        said[tune] = int(line.split(" of ")[0].strip().replace(",", ""))
        assert "gradients" in line
        assert "optimiser" in line
    assert said["head"] < said["lora:4"] < said["blocks:2"] < said["all"]
    assert not (tmp_path / "run").exists()


def test_train__json_lines(tmp_path):
    words = ("albedo", "--size", "nano", "--data", DATA, "-o", tmp_path, *SMALL, "--set", "iterations=2", "--json")
    outcome = train(*words)
    assert outcome.exit_code == 0, outcome.shown
    parsed = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [line.get("update") for line in parsed] == [1, 2, None]
    assert parsed[-1] == {"model": str(tmp_path / "model.safetensors")}
    assert {"loss", "l1", "lr", "grad_norm", "step_s", "eta_s", "host_mb"} <= set(parsed[0])


def test_train__no_tensorboard_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    words = ("albedo", "--size", "nano", "--data", DATA, "-o", tmp_path, *SMALL, "--set", "iterations=1")
    outcome = train(*words)
    assert outcome.exit_code == 0, outcome.shown
    assert outcome.stderr.count("no curves: tensorboard is not installed; pip install 'sapiens[train]'") == 1
    assert not (tmp_path / "tensorboard").exists()
    assert (tmp_path / "pictures" / "step_00000001.png").exists()


def test_resume__by_the_folder_alone(finished, tmp_path):
    """As if killed after two updates: the later files are gone."""
    folder, _ = finished
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    shutil.rmtree(again / "checkpoints" / "step_00000004")
    (again / "model.safetensors").unlink()
    outcome = train("seg,normal", "-o", again, "--resume", "--device", "cpu")
    assert outcome.exit_code == 0, outcome.shown
    before, after = (load_file(path / "model.safetensors") for path in (folder, again))
    assert all((before[name] == after[name]).all() for name in before)
    assert [line["update"] for line in lines(again)] == [line["update"] for line in lines(folder)]


def test_resume__refuses_what_would_change_the_run(finished, tmp_path):
    folder, _ = finished
    rows = [
        (("seg", "-o", folder), "is a run of seg,normal, not of seg"),
        (("seg,normal", "-o", folder, "--set", "seed=4"), "was started with other settings: seed"),
        (("seg,normal", "-o", folder, "--size", "nano"), "--size is what the run was started with"),
        (
            ("seg,normal", "-o", folder, "--data", "synth:count=7,size=64x48,cache=rendered"),
            "7 records; the run was started with 6",
        ),
        (("seg", "-o", tmp_path), "holds no run to resume"),
    ]
    for words, message in rows:
        outcome = train(*words, "--resume", "--device", "cpu")
        assert outcome.exit_code == 1
        assert message in outcome.shown


def test_train__does_not_overwrite_a_run(finished):
    folder, _ = finished
    outcome = train("seg,normal", "--size", "nano", "--data", DATA, "-o", folder, *SMALL)
    assert outcome.exit_code == 1
    assert "holds a run" in outcome.shown


BAD = [
    ("unknown task", ("sge", "--size", "nano", "--data", DATA), "'sge'"),
    ("task twice", ("seg,seg", "--size", "nano", "--data", DATA), "different ones"),
    ("unknown size", ("seg", "--size", "2b", "--data", DATA), "size '2b'"),
    ("no data", ("seg", "--size", "nano"), "nothing to learn from"),
    ("no size", ("seg", "--data", DATA), "expected a size"),
    ("no such data", ("seg", "--size", "nano", "--data", "nowhere"), "nowhere: no such file"),
    ("unknown setting", ("seg", "--size", "nano", "--data", DATA, "--set", "lr=1"), "setting of the recipe 'lr'"),
    ("unknown start", ("seg", "--size", "nano", "--data", DATA, "--start", "zero"), "'zero'"),
    ("unknown tune", ("seg", "--size", "nano", "--data", DATA, "--set", "tune=ends"), "tune: expected all, head"),
    ("no such weights", ("seg", "--size", "nano", "--data", DATA, "--weights", "gone.safetensors"), "gone.safetensors"),
    ("no such recipe", ("seg", "--size", "nano", "--data", DATA, "--recipe", "gone.toml"), "gone.toml"),
    ("a GPU by number", ("seg", "--size", "nano", "--data", DATA, "--device", "cuda:1"), "expected auto or cpu"),
]


@pytest.mark.parametrize(("words", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_train__bad_arguments(words, message, tmp_path):
    outcome = train(*words, "-o", tmp_path / "run")
    assert outcome.exit_code == 1
    assert message in outcome.shown
    assert not (tmp_path / "run").exists()


def test_train__data_with_problems_is_refused_before_it_starts(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([{"image": "gone.png", "labels": "gone.png"}]))
    outcome = train("seg", "--size", "nano", "--data", tmp_path / "list.json", "-o", tmp_path / "run")
    assert outcome.exit_code == 1
    assert "gone" in outcome.shown
    assert not (tmp_path / "run").exists()


def start(words, processes=1):
    """The command as a process of its own, or as several under torchrun."""
    alone = [sys.executable, "-m", "sapiens.cli.main"]
    many = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    several = [*many, "-m", "sapiens.cli.main"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    command = [*(alone if processes == 1 else several), "train", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


@pytest.mark.slow
def test_train__ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    words = ("seg", "--size", "nano", "--data", DATA, "-o", tmp_path, *SMALL)
    process = start([*words, "--set", "iterations=5000", "--set", "save_every=0", "--set", "workers=1"])
    deadline = time.monotonic() + 120
    while not (tmp_path / "log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "all is saved" in said
    assert f"hint: sapiens train seg -o {tmp_path} --resume" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_train__two_processes_are_one_run(parallel, tmp_path):
    words = ("seg", "--size", "nano", "--data", DATA, "--val", VAL, *SMALL, "--set", "iterations=2")
    alone = start([*words, "-o", tmp_path / "one"])
    said_alone = alone.communicate(timeout=200)[1]
    assert alone.returncode == 0, said_alone
    both = start(
        [*words, "-o", tmp_path / "two", "--set", "batch_size=1", "--set", f"parallel={parallel}"], processes=2
    )
    out, said = both.communicate(timeout=300)
    assert both.returncode == 0, said
    assert out.count("model.safetensors") == 1
    assert said.count("train seg at nano") == 1
    one, two = (lines(tmp_path / name) for name in ("one", "two"))
    assert [line["update"] for line in two] == [line["update"] for line in one]
    for first, second in zip(one, two, strict=True):
        for name in ("loss", "val/miou", "val/aacc"):
            if name in first:
                assert second[name] == pytest.approx(first[name], rel=2e-2, abs=2e-3), name
