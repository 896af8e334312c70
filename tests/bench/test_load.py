"""The benchmark of loading, at a size that takes no time."""

from __future__ import annotations

from sapiens.bench import load
from sapiens.weights import identify
from sapiens.weights.header import read_header


def test_run__every_case_at_nano(tmp_path, monkeypatch):
    # In this process: fresh ones spend seconds on imports.
    monkeypatch.setattr(load, "_in_process", load._measure)
    report = load.run(repeats=1, workdir=tmp_path, size="nano")
    assert [row["case"] for row in report["rows"]] == list(load.CASES)
    for row in report["rows"]:
        assert row["s, cached"] > 0
        assert row["s touched, cached"] >= row["s, cached"]


def test_in_process__measures_in_a_fresh_process(tmp_path):
    seconds, touched, peak = load._in_process("load", load.make_file(tmp_path, "nano"), "nano")
    assert 0 < seconds <= touched
    assert peak >= 0


def test_make_file__once_and_like_the_released_one(tmp_path):
    path = load.make_file(tmp_path, "nano")
    made = path.stat().st_mtime_ns
    assert load.make_file(tmp_path, "nano").stat().st_mtime_ns == made
    found = identify(path)
    assert (found.task, found.size) == ("pose", "nano")
    assert all(entry.start % entry.dtype.itemsize == 0 for entry in read_header(path).values())
