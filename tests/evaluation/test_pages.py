"""What docs/evaluation.md says runs, and names numbers that exist."""

import re
from pathlib import Path

import pytest
from datasets.tiny import make_all

import sapiens
from sapiens.tasks import TASKS
from sapiens.tasks.learning import get_learning

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()


def test_python_block__runs(tmp_path, monkeypatch):
    load = sapiens.load
    monkeypatch.setattr(sapiens, "load", lambda task, size: load(task, "nano", weights="untrained"), raising=False)
    make_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    exec(compile(block, "evaluation.md", "exec"), {})
    assert (tmp_path / "val.html").exists()


@pytest.mark.parametrize("task", TASKS)
def test_tables__name_the_numbers_of_each_task(task):
    section = re.search(rf"^## {task}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)[1]
    rows = "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    named = {name for name in re.findall(r"`([^`]+)`", rows) if "NAME" not in name and not name.startswith("_")}
    numbers = get_learning(task).metrics().compute()
    assert named <= set(numbers)
    (headline,) = re.findall(r"\*\*`([^`]+)`", rows)
    assert headline == get_learning(task).headline[0]
    # A family is described by its first name: ap_50_body by ap_50, x_mae_m_aligned by "_aligned".
    plain = {
        n for n in numbers if not re.search(r"/|_aligned|_(body|foot|face|left_hand|right_hand)$|^ar_|percent_", n)
    }
    assert plain - named <= {"mprecision", "mdice"}
