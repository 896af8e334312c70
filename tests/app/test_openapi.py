"""The description of the service is true: requests made from it are answered as it says."""

import importlib.util
import subprocess
import sys

import pytest
from helpers_app import running

from sapiens.app.features import SERVED

SOME = ("/v1/predict/pose", "/v1/predict/albedo", "/v1/tasks/seg", "/v1/models", "/health", "/metrics")


def schemathesis(url: str, *arguments: str) -> str:
    """Its report; that a picture's bytes are a picture no schema can say, so one of its checks is left out."""
    line = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [*line, "--exclude-checks", "positive_data_acceptance", *arguments], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


needed = pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed")


def test_openapi__names_every_endpoint(client) -> None:
    paths = client.get("/openapi.json").json["paths"]
    assert {f"/v1/predict/{task}" for task in SERVED} | set(SOME) <= set(paths)


@needed
def test_openapi__is_true(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with running() as client:
        some = [word for path in SOME for word in ("--include-path", path)]
        report = schemathesis(client.url, *some, "--phases", "coverage,fuzzing", "-n", "2", "--mode", "all")
    assert f"Tested: {len(SOME)}" in report


@needed
@pytest.mark.slow
def test_openapi__is_true_of_all_endpoints_and_many_requests(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with running() as client:
        report = schemathesis(client.url, "-n", "25")
    assert f"Tested: {2 * len(SERVED) + 3}" in report
