import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "helpers_training.py"


def start(jobs, world=1, rank=0, port=0):
    root = str(SCRIPT.parents[1])
    variables = {"PYTHONPATH": f"{root}{os.pathsep}{SCRIPT.parent}", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    if world > 1:
        variables |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world,
                      "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
    environment = os.environ | {k: str(v) for k, v in variables.items()}
    return subprocess.Popen([sys.executable, str(SCRIPT), json.dumps(jobs)], env=environment, stderr=subprocess.PIPE)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As the started processes have: sums of two threads round differently, and runs are compared bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run_script():
    """Run trainings one after another in `world` processes; returns their exit codes and stderr."""

    def run(jobs, world=1):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = [start(jobs, world, rank, port) for rank in range(world)]
        errors = [process.communicate(timeout=120)[1].decode() for process in processes]
        return [process.returncode for process in processes], "\n".join(errors)

    return run
