"""`sapiens bench TASK`: every contender in its own process, one table, errors beside times."""

import pytest
import torch

from sapiens.bench import compare
from sapiens.bench.compare import run
from sapiens.bench.options import run as run_options
from sapiens.bench.roofline import Roofline, measure_roofline
from sapiens.errors import InputError, UnknownNameError


def rows_by_case(outcome):
    return {row["case"]: row for row in outcome["rows"]}


def test_compare__a_task():
    rows = rows_by_case(run("seg", "nano", ["int8"], repeats=1))
    assert list(rows) == ["float32", "int8", "eager"]
    assert rows["eager"]["x eager"] == 1
    assert float(rows["float32"]["error"]) < 1e-5
    assert 1e-5 < float(rows["int8"]["error"]) < 0.1
    stages = ("load s", "pre ms", "backbone s", "head s", "network s", "post ms", "whole s", "peak GB")
    assert all(float(row[stage]) > 0 for row in rows.values() for stage in stages)


def test_compare__a_backbone_beside_transformers():
    pytest.importorskip("transformers")
    outcome = run("backbone", "nano", ["transformers"], repeats=1)
    rows = rows_by_case(outcome)
    assert list(rows) == ["float32", "transformers", "eager"]
    assert rows["transformers"]["pre ms"] == "-"
    assert any(line.startswith("roofline of the backbone") for line in outcome["remarks"])


def test_compare__a_task_transformers_lacks():
    pytest.importorskip("transformers")
    outcome = run("albedo", "nano", ["transformers"], repeats=1)
    assert "transformers" not in rows_by_case(outcome)
    assert any(line.startswith("transformers: ") for line in outcome["remarks"])


def test_compare__what_leaves_no_room_is_left_out(monkeypatch):
    monkeypatch.setattr(compare, "memory_of_the_machine", lambda: 4e6)
    outcome = run("backbone", "nano", ["int8", "bfloat16"], repeats=1)
    (row,) = outcome["rows"]
    assert row["case"] == "bfloat16"
    assert row["x eager"] == row["error"] == "-"
    assert "left out: float32, int8, eager; 0.0 GB of float32 leave no room" in outcome["remarks"]
    assert "in bfloat16" in outcome["remarks"][-1]
    with pytest.raises(InputError, match=r"leave no room.*--vs bfloat16"):
        run("backbone", "nano", ["int8"], repeats=1)


@pytest.mark.parametrize(("subject", "vs"), [("sge", []), ("seg", ["int9"])], ids=["subject", "contender"])
def test_compare__unknown_names(subject, vs):
    with pytest.raises(UnknownNameError):
        run(subject, "nano", vs, repeats=1)


def test_roofline__counts_the_work_of_the_backbone():
    roof = measure_roofline("nano", 1, torch.get_num_threads())
    width, tokens, layers, ff = 128, 9 + 192, 6, 384
    products = 2 * layers * tokens * (4 * width**2 + 3 * width * ff) + 2 * 192 * 192 * width
    assert roof.products[0] == products
    assert roof.attention[0] == 4 * layers * tokens**2 * width
    assert roof.seconds == roof.products[1] + roof.attention[1]


def test_roofline__text():
    text = Roofline((2e9, 1.0), (1e9, 0.5)).text(2.0, "float32")
    assert "2 GFLOP/s" in text
    assert "75 % of the best pass" in text


def test_options__every_task_has_its_unit():
    outcome = run_options(repeats=1)
    rows = {row["task"]: row for row in outcome["rows"]}
    assert set(rows) == {"pose", "seg", "normal", "pointmap", "matting", "albedo"}
    assert all(0 < row["int8"] < 5 for row in rows.values())
    assert "mirrored second pass" in outcome["remarks"][0]
