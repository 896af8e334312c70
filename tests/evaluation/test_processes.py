import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_evaluation import evaluate_all

from sapiens.evaluation.processes import Processes, _pack, _unpack, join


@pytest.mark.parametrize("total", [0, 1, 5, 256])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_share__every_record_belongs_to_one_process(total, count):
    shares = [list(Processes(rank, count).share(total)) for rank in range(count)]
    assert [index for share in shares for index in share] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_pack__brings_arrays_and_words_back():
    arrays = {"a|b/0": np.arange(3), "text": np.array(["x", "längst"]), "none": np.empty((0, 308, 2), np.float32)}
    got, words = _unpack(_pack(arrays, {"failures": [[1, "a", "b"]]}))
    assert words == {"failures": [[1, "a", "b"]]}
    assert got.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(got[name], values)
        assert got[name].dtype == values.dtype


def test_pack__objects_are_refused():
    with pytest.raises(ValueError, match="Object arrays"):
        _pack({"a": np.array([object()])}, None)


def test_join__alone():
    assert join() == Processes(0, 1)
    assert Processes().main


def test_evaluate__several_processes_give_the_numbers_of_one(tmp_path: Path):
    """All tasks, seven records of which two are bad, over two processes: their shares differ in size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes below: sums of two threads round differently
    try:
        evaluate_all(tmp_path / "one.json")
    finally:
        torch.set_num_threads(threads)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(root / "tests" / "helpers_evaluation.py"), str(tmp_path / "two.json")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = (json.loads((tmp_path / f"{name}.json").read_text())["reports"] for name in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        assert (first.pop("processes"), second.pop("processes")) == (1, 2)
        assert (first.pop("seconds"), second.pop("seconds")) > (0, 0)
        assert first == second
        assert first["count"] == 5
        assert len(first["failures"]) == 2
