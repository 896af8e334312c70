"""Recorded outputs of the original's networks (golden/models): cases, weights and inputs."""

import functools
import importlib.util
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden/models"

_spec = importlib.util.spec_from_file_location("golden_fill", FOLDER / "fill.py")
_fill = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fill)
fill_, seeded, values, normal = _fill.fill_, _fill.seeded, _fill.values, _fill.normal


@functools.cache
def _table() -> dict:
    return json.loads((FOLDER / "cases.json").read_text())


def archs(generation: int = 2) -> dict[str, dict]:
    """Small architectures to add to an arch table."""
    return _table()["archs" if generation == 2 else "archs_v1"]


def cases(*kinds: str) -> list[str]:
    return [name for name, case in _table()["cases"].items() if case["kind"] in kinds]


def load_case(name: str) -> dict:
    return _table()["cases"][name]


@functools.cache
def _arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / file) as archive:
        return dict(archive)


def expected(name: str, output: str) -> np.ndarray:
    return _arrays(load_case(name)["file"])[f"{name}/{output}"]


def assert_close(name: str, output: str, got) -> None:
    """Within the case's largest and mean absolute difference."""
    largest, mean = load_case(name)["tol"]
    want = expected(name, output)
    got = got.detach().float().numpy() if hasattr(got, "detach") else got
    assert got.shape == want.shape
    difference = np.abs(got.astype(np.float64) - want)
    assert difference.max() <= largest, (output, difference.max())
    assert difference.mean() <= mean, (output, difference.mean())
