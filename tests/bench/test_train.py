"""`sapiens bench train`: a row per way to train, with time and memory."""

from sapiens.bench import train
from sapiens.bench.table import render


def test_run__rows() -> None:
    report = train.run(repeats=1)
    assert len(report["rows"]) == len(train.ROWS)
    for row in report["rows"]:
        assert row["ms an update"] > 0
        assert row["pictures a second"] > 0
    memory = {row["trained"]: row["memory MB"] for row in report["rows"] if row["optimiser"] == "adamw"}
    assert memory["head"] < memory["lora:8"] < memory["blocks:2"] < memory["all"]
    assert "all six" in render(report)
