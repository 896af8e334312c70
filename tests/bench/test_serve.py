"""`sapiens bench serve`: a row for every tab, of processes that end."""

from sapiens.bench import serve
from sapiens.bench.table import render


def test_run__rows(monkeypatch) -> None:
    monkeypatch.setenv("SAPIENS_TOKEN", "of the machine, and none of the measured server's")
    report = serve.run(repeats=1)
    rows = {row["step"]: row["median s"] for row in report["rows"]}
    assert list(rows) == [serve.ADDRESS, serve.BOTH, *(f"first {task}" for task in serve.TASKS)]
    assert 0 < rows["first features"] < rows[serve.ADDRESS] < rows[serve.BOTH]
    assert "load average" in render(report)
