import math
import random

import numpy as np
import pytest

from sapiens.nn.sums import Sums, ratio

TERMS = [1e16, 1.0, -1e16, 1e-9, 3.5, 1 / 3, 1e100, -1e100, 2**-60]


@pytest.mark.parametrize("seed", range(5))
def test_add__any_order_gives_the_rounded_exact_sum(seed):
    terms = TERMS * 3
    random.Random(seed).shuffle(terms)
    sums = Sums()
    for term in terms:
        sums.add(x=term)
    assert sums.total("x") == math.fsum(TERMS * 3)


def test_merge__any_grouping_gives_the_same_bits():
    values = np.random.default_rng(0).lognormal(0, 20, 1000)
    whole, parts = Sums(), [Sums() for _ in range(7)]
    for index, value in enumerate(values.tolist()):
        whole.add(x=value)
        whole.tally(n=1, bins=[index % 2, 1])
        parts[index % 7].add(x=value)
        parts[index % 7].tally(n=1, bins=[index % 2, 1])
    merged = Sums()
    for part in parts:
        merged.merge(part.state())
    assert merged.total("x") == whole.total("x") == math.fsum(values)
    assert merged.count("n") == 1000
    np.testing.assert_array_equal(merged.counts("bins"), [500, 1000])
    assert merged.mean("x", "n") == whole.mean("x", "n")


def test_state__is_a_copy():
    sums = Sums()
    sums.tally(n=[1, 2])
    sums.state()["n"][:] = 9
    np.testing.assert_array_equal(sums.counts("n"), [1, 2])


def test_mean__nothing_counted_is_nan():
    assert math.isnan(Sums().mean("x", "n"))
    assert math.isnan(ratio(1.0, 0))
    assert Sums().total("x") == 0


def test_counts__beyond_float32_stay_exact():
    sums = Sums()
    sums.tally(n=2**40)
    sums.tally(n=1)
    assert sums.count("n") == 2**40 + 1
