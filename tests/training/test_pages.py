"""What docs/training.md and docs/train say to type trains, measures and predicts, on tiny data under the same names."""

import re
import shlex
from pathlib import Path

import pytest
from command import sapiens_cli
from datasets.tiny import make_all
from PIL import Image

from sapiens.training.recipes import get_recipe

DOCS = Path(__file__).parents[2] / "docs"
TASKS = ("pose", "seg", "normal", "pointmap", "matting", "albedo")
SHORT = ("--set", "iterations=2", "--set", "batch_size=2", "--set", "workers=0", "--set", "pictures_every=0")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Every tiny data set, and a photograph."""
    folder = make_all(tmp_path_factory.mktemp("tiny"))
    Image.new("RGB", (60, 80), (200, 120, 90)).save(folder / "photo.jpg")
    return folder


@pytest.fixture
def here(tiny, monkeypatch):
    monkeypatch.chdir(tiny)


def commands(page: Path) -> list[list[str]]:
    """Commands of a page, without those for full-size models and for several processes."""
    blocks = re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for kind, block in blocks if not kind for line in block.splitlines() if line.startswith("sapiens ")]
    found = [shlex.split(line, comments=True)[1:] for line in lines]
    return [words for words in found if words[0] in ("train", "evaluate", "predict") and "0.4b" not in words]


def run(words) -> None:
    fresh = words[0] == "train" and "--resume" not in words
    outcome = sapiens_cli(*words, *(SHORT if fresh else ()), "--device", "cpu")
    assert outcome.exit_code == 0, f"{words}: {outcome.stdout}{outcome.stderr}{outcome.shown}"


@pytest.mark.parametrize("task", TASKS)
def test_pages__from_data_to_predictions(task, here) -> None:
    found = commands(DOCS / "train" / f"{task}.md")
    assert list(dict.fromkeys(words[0] for words in found)) == ["train", "evaluate", "predict"]
    for words in found:
        run(words)
    assert Path("runs", task, "val.json").exists()


def test_pages__training(here) -> None:
    found = commands(DOCS / "training.md")
    assert len(found) >= 5
    for words in found:
        run([word.replace("count=20000", "count=4") for word in words])


@pytest.mark.parametrize("task", TASKS)
def test_pages__table_of_released_settings(task) -> None:
    (row,) = re.findall(rf"^\| {task} \|(.*)\|$", (DOCS / "training.md").read_text(), re.MULTILINE)
    updates, lr, decay, clip, precision, pictures = (cell.strip() for cell in row.split("|"))
    recipes = [get_recipe(task, size) for size in (("1b",) if task == "matting" else ("0.4b", "1b"))]
    assert updates.removesuffix(" (1b)").split(" / ") == [f"{r.iterations:,}" for r in recipes]
    assert [float(value) for value in decay.split(" / ")] == [r.optim.layer_decay for r in recipes]
    assert [float(value) for value in clip.split(" / ")] == [r.optim.clip_norm for r in recipes]
    assert [int(value) for value in pictures.split(" / ")] == [r.batch_size for r in recipes]
    assert {(float(lr), precision)} == {(r.optim.lr, r.precision) for r in recipes}


def test_pages__settings_of_the_example_exist(here) -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", (DOCS / "training.md").read_text(), re.DOTALL)
    Path("mine.toml").write_text(toml)
    words = [
        "pose",
        "--size",
        "nano",
        "--data",
        "people/keypoints_train.json",
        "-o",
        "runs/mine",
        "--recipe",
        "mine.toml",
    ]
    outcome = sapiens_cli("train", *words, "--set", "augment.flip=0", "--set", "seed=1", "--dry-run", "--device", "cpu")
    assert outcome.exit_code == 0, outcome.shown
    assert "2,000 updates of 4 pictures" in outcome.stderr


def test_pages__python_runs(here, capsys) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "training.md").read_text(), re.DOTALL)
    exec(compile(code, "training.md", "exec"), {})
    assert capsys.readouterr().out.strip().endswith("model.safetensors")
