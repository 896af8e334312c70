"""Rotary positions: recorded tables, casts, training-time changes, and the tables that are kept."""

from __future__ import annotations

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from golden_models import assert_close, cases, expected, load_case, seeded

from sapiens.backbones.standalone.sapiens2 import RotaryEmbedding, rotate

GRID = (5, 3)


def turns(table: tuple[torch.Tensor, torch.Tensor], period: float, index: int) -> torch.Tensor:
    """Coordinates behind one column of a table, in periods where they would wrap."""
    sin, cos = (part[:, index].double() for part in table)
    return torch.atan2(sin, cos) / (2 * math.pi) * period


def one_period(**augmentation: float) -> RotaryEmbedding:
    """One period of 8 for each axis, so that coordinates in -1..1 can be read back from the table."""
    return RotaryEmbedding(4, base=None, min_period=8.0, max_period=8.0, dtype="fp32", **augmentation)


@pytest.mark.parametrize("name", cases("rope_table"))
def test_table__recorded(name: str) -> None:
    case = load_case(name)
    rope = RotaryEmbedding(case["head_dim"], dtype=case["dtype"])
    if "module_cast_to" in case:
        rope.to(getattr(torch, case["module_cast_to"]))
    sin, cos = rope(*case["grid"])
    rows = expected(name, "rows").astype(int)
    assert str(sin.dtype) == str(cos.dtype) == f"torch.{case['table_dtype']}"
    assert_close(name, "periods", rope.periods)
    assert_close(name, "sin", sin[rows])
    assert_close(name, "cos", cos[rows])


@pytest.mark.parametrize("name", [n for n in cases("rope_table") if load_case(n)["table_dtype"] == "bfloat16"])
def test_table__bfloat16_is_exact(name: str) -> None:
    case = load_case(name)
    sin, cos = RotaryEmbedding(case["head_dim"])(*case["grid"])
    rows = expected(name, "rows").astype(int)
    np.testing.assert_array_equal(sin.float().numpy()[rows], expected(name, "sin"))
    np.testing.assert_array_equal(cos.float().numpy()[rows], expected(name, "cos"))


@pytest.mark.parametrize("name", cases("rope_apply"))
def test_rotate__recorded(name: str) -> None:
    case = load_case(name)
    table = RotaryEmbedding(case["head_dim"], dtype=case["dtype"])(*case["grid"])
    for which, given in case["input"].items():
        x = seeded(*given)
        turned = rotate(x, *table)
        assert turned.dtype == x.dtype
        assert_close(name, which, turned)


@pytest.mark.parametrize(
    ("cast", "periods", "table"),
    [
        pytest.param("bfloat16", torch.bfloat16, torch.bfloat16, id="bfloat16"),
        pytest.param("float", torch.float32, torch.float32, id="float"),
        pytest.param("half", torch.float16, torch.float32, id="half"),
        pytest.param("double", torch.float64, torch.float64, id="double"),
    ],
)
def test_cast__table_is_in_the_promoted_dtype(cast: str, periods: torch.dtype, table: torch.dtype) -> None:
    rope = RotaryEmbedding(12)
    before = rope(*GRID)[0]
    getattr(rope, cast)()
    sin, cos = rope(*GRID)
    assert before.dtype == torch.bfloat16
    assert (rope.periods.dtype, sin.dtype, cos.dtype) == (periods, table, table)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"head_dim": 10}, "divisible by 4", id="head size"),
        pytest.param({"min_period": 1.0, "max_period": 2.0}, "either the base", id="base and periods"),
        pytest.param({"base": None, "min_period": 1.0}, "either the base", id="half of the periods"),
        pytest.param({"normalize_coords": "mean"}, "separate, max or min", id="normalisation"),
        pytest.param({"jitter": 0.5}, "at least 1", id="jitter below one"),
    ],
)
def test_construction__names_what_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RotaryEmbedding(**({"head_dim": 12} | settings))


def test_shift__one_offset_per_axis_within_bounds() -> None:
    table, plain = one_period(shift=0.25)(*GRID), one_period()(*GRID)
    offsets = [turns(table, 8, axis) - turns(plain, 8, axis) for axis in (0, 1)]
    for offset in offsets:
        assert offset.abs().max() <= 0.25
        assert (offset - offset[0]).abs().max() < 1e-6
    assert abs(offsets[0][0] - offsets[1][0]) > 1e-6


@pytest.mark.parametrize(
    ("name", "is_common"), [pytest.param("jitter", False, id="jitter"), pytest.param("rescale", True, id="rescale")]
)
def test_factors__within_bounds(name: str, is_common: bool) -> None:
    table, plain = one_period(**{name: 1.5})(2, 2), one_period()(2, 2)
    factors = [turns(table, 8, axis) / turns(plain, 8, axis) for axis in (0, 1)]
    for factor in factors:
        assert factor.min() >= 1 / 1.5 - 1e-5
        assert factor.max() <= 1.5 + 1e-5
        assert (factor - factor[0]).abs().max() < 1e-5
    assert (abs(factors[0][0] - factors[1][0]) < 1e-5) == is_common


@pytest.mark.parametrize("name", ["shift", "jitter", "rescale"])
def test_augmentation__drawn_per_call_and_only_in_training(name: str) -> None:
    rope = RotaryEmbedding(12, **{name: 1.5})
    assert not torch.equal(rope(*GRID)[0], rope(*GRID)[0])
    assert rope(*GRID)[0].dtype == torch.bfloat16
    rope.eval()
    torch.testing.assert_close(rope(*GRID), RotaryEmbedding(12)(*GRID), rtol=0, atol=0)


def test_cache__same_tensors_for_the_same_grid() -> None:
    rope = RotaryEmbedding(12)
    assert rope(*GRID)[0] is rope(*GRID)[0]
    assert rope(3, 5)[0] is not rope(*GRID)[0]


def test_cache__bounded() -> None:
    rope = RotaryEmbedding(4)
    for rows in range(1, 50):
        rope(rows, 2)
        assert len(rope._tables) <= rope.CACHED_GRIDS


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda r: r.load_state_dict({"periods": torch.tensor([1.0, 2.0, 4.0])}), id="loaded"),
        pytest.param(lambda r: r.load_state_dict({"periods": torch.ones(3).bfloat16()}, assign=True), id="assigned"),
        pytest.param(lambda r: r.periods.mul_(2), id="in place"),
        pytest.param(lambda r: setattr(r, "periods", r.periods * 2), id="replaced"),
        pytest.param(lambda r: r.float(), id="cast"),
    ],
)
def test_cache__follows_the_periods(change) -> None:
    rope = RotaryEmbedding(12)
    before = rope(*GRID)[0]
    change(rope)
    after = rope(*GRID)[0]
    rope._tables.clear()
    assert not torch.equal(before, after)
    assert torch.equal(after, rope(*GRID)[0])


def test_cache__filled_in_inference_mode_serves_training() -> None:
    rope = RotaryEmbedding(12)
    with torch.inference_mode():
        kept = rope(*GRID)
    q = torch.randn(1, 2, 15, 12, requires_grad=True)
    rotate(q, *rope(*GRID)).sum().backward()
    assert rope(*GRID)[0] is kept[0]
    assert q.grad is not None


def test_cache__built_in_inference_mode_follows_the_periods() -> None:
    with torch.inference_mode():
        rope = RotaryEmbedding(12)
        before = rope(*GRID)[0]
        rope.periods.mul_(2)
        assert not torch.equal(before, rope(*GRID)[0])


def test_cache__fake_tensors_are_not_kept() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    rope = RotaryEmbedding(12)
    with FakeTensorMode(allow_non_fake_inputs=True):
        rope(*GRID)
    assert type(rope(*GRID)[0]) is torch.Tensor


def test_cache__left_out_of_copies() -> None:
    rope = RotaryEmbedding(12)
    small = len(pickle.dumps(rope))
    table = rope(64, 48)
    twin = copy.deepcopy(rope)
    assert len(pickle.dumps(rope)) == small
    assert twin(64, 48)[0] is not table[0]
    torch.testing.assert_close(twin(64, 48), table, rtol=0, atol=0)


def test_threads__same_tables() -> None:
    grids = [(rows, 4) for rows in range(1, 13)] * 8
    want = {grid: RotaryEmbedding(12)(*grid) for grid in grids}
    rope = RotaryEmbedding(12)
    with ThreadPoolExecutor(8) as pool:
        for grid, table in zip(grids, pool.map(lambda g: rope(*g), grids), strict=True):
            torch.testing.assert_close(table, want[grid], rtol=0, atol=0)


def test_meta__table_has_no_values() -> None:
    with torch.device("meta"):
        rope = RotaryEmbedding(12)
    sin, _ = rope(*GRID)
    assert (sin.device.type, tuple(sin.shape), sin.dtype) == ("meta", (15, 12), torch.bfloat16)
