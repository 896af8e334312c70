"""Rows: what they say of people and of frames, as JSON lines and as Parquet."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sapiens.errors import InputError
from sapiens.inference.rows import JsonLines, Parquet, to_row
from sapiens.tasks.base import Meta
from sapiens.tasks.matting.result import MattingResult
from sapiens.tasks.pose.result import PoseResult


def meta(task: str, frame: int = 7) -> Meta:
    return Meta("clip:7", (20, 10), task, "m", "w", "float32", "default", ("a note",), frame, frame / 25)


def pose(people: int, frame: int = 7, ids=(4, 2, 9)) -> PoseResult:
    rng = np.random.default_rng(people)
    return PoseResult(
        meta=meta("pose", frame),
        boxes_xyxy=rng.uniform(0, 9, (people, 4)).astype(np.float32),
        box_scores=np.linspace(0.5, 1, people, dtype=np.float32),
        keypoints=rng.uniform(0, 20, (people, 308, 2)).astype(np.float32),
        scores=rng.uniform(0, 1, (people, 308)).astype(np.float32),
        ids=np.array(ids[:people], np.int32),
    )


def test_row__people() -> None:
    result = pose(2)
    result.keypoints[0, 3] = np.nan
    row = json.loads(json.dumps(to_row(result), allow_nan=False))
    assert (row["frame"], row["time_s"], row["width"], row["height"], row["notes"]) == (7, 0.28, 10, 20, ["a note"])
    assert [p["id"] for p in row["people"]] == [4, 2]
    assert row["people"][0]["keypoints"][3][:2] == [None, None]
    assert np.allclose(row["people"][1]["keypoints"], np.c_[result.keypoints[1], result.scores[1]], atol=6e-4)
    assert np.allclose(row["people"][1]["box"], result.boxes_xyxy[1], atol=6e-4)
    assert row["people"][1]["score"] == 1.0


def test_row__dense_tasks_say_how_much_is_person() -> None:
    alpha = np.zeros((20, 10), np.float32)
    alpha[:5] = 0.9
    row = to_row(MattingResult(meta=meta("matting"), alpha=alpha))
    assert row["foreground"] == 0.25
    assert "people" not in row


def test_json_lines__one_line_a_frame_at_the_end_only(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "a/rows.jsonl")
    for frame in range(3):
        file.add(to_row(pose(frame, frame)))
    assert not (tmp_path / "a/rows.jsonl").exists()
    path = file.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["frame"], len(r["people"])) for r in rows] == [(0, 0), (1, 1), (2, 2)]


def test_parquet__one_row_a_person_and_one_for_nobody(tmp_path: Path) -> None:
    results = [pose(count, frame) for frame, count in enumerate((2, 0, 0, 3))]
    file = Parquet(tmp_path / "rows.parquet")
    for result in results:
        file.add(to_row(result))
    table = pq.read_table(file.close())
    rows = table.to_pylist()
    assert [(r["frame"], r["id"]) for r in rows] == [(0, 4), (0, 2), (1, None), (2, None), (3, 4), (3, 2), (3, 9)]
    assert [str(table.schema.field(n).type) for n in ("frame", "time_s", "id", "x1")] == [
        "int64", "double", "int32", "float",
    ]  # fmt: skip
    assert np.allclose(rows[5]["keypoint_x"], results[3].keypoints[1, :, 0], atol=6e-4)
    assert np.allclose(rows[5]["keypoint_score"], results[3].scores[1], atol=6e-4)
    assert rows[2]["keypoint_x"] is None


@pytest.mark.parametrize("first", [0, 2], ids=["nobody first", "people first"])
def test_parquet__many_frames_in_pieces(first: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sapiens.inference.rows.ROWS_AT_ONCE", 10)
    file = Parquet(tmp_path / "rows.parquet")
    for frame in range(95):
        file.add(to_row(pose(first if frame < 40 else 1, frame)))
    table = pq.read_table(file.close())
    assert sorted(set(table["frame"].to_pylist())) == list(range(95))
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups > 5


@pytest.mark.parametrize("kind", [JsonLines, Parquet])
def test_discard__leaves_nothing(kind, tmp_path: Path) -> None:
    file = kind(tmp_path / f"rows{kind.suffix}")
    file.add(to_row(pose(1)))
    file.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [JsonLines, Parquet])
def test_open__folder_that_cannot_be_made(kind, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        kind(tmp_path / "file" / f"rows{kind.suffix}")
