"""`sapiens bench decode`: both ways, the ratio, and how far they differ."""

from sapiens.bench import decode
from sapiens.bench.table import render


def test_run__rows() -> None:
    report = decode.run(repeats=1)
    text = render(report)
    eight = {row["way"]: row for row in report["rows"] if row["people"] == 8}
    assert set(eight) == {"batched", "map by map"}
    # Five times is promised and about ten is measured; a busy machine must not fail the tests.
    assert eight["batched"]["times faster"] > 2
    assert "pixels of the 1024x768 input" in text
