import math
import random
from io import BytesIO

import pytest
from PIL import Image

from sapiens.evaluation.extremes import SIDE, Extremes

SCORES = [0.5, 0.9, 0.1, 0.9, 0.3, math.nan, 0.7, 0.1]


def picture(side=4):
    return tuple(Image.new("RGB", (side, side)) for _ in range(3))


def filled(good, indices=None):
    extremes = Extremes(2, good)
    for index in range(len(SCORES)) if indices is None else indices:
        extremes.add(index, f"p{index}", SCORES[index], picture)
    return extremes


def places(extremes):
    return [[shown.index for shown in row] for row in extremes.chosen()]


@pytest.mark.parametrize(("good", "best", "worst"), [("high", [1, 3], [2, 7]), ("low", [2, 7], [1, 3])])
def test_extremes__keep_best_and_worst_ties_by_place(good, best, worst):
    assert places(filled(good)) == [best, worst]


@pytest.mark.parametrize("seed", range(4))
def test_merge__any_split_in_any_order_keeps_the_same(seed):
    order = list(range(len(SCORES)))
    random.Random(seed).shuffle(order)
    parts = [filled("high", order[k::3]) for k in range(3)]
    merged = Extremes(2, "high")
    for part in parts:
        merged.merge(part.state())
    assert places(merged) == [[1, 3], [2, 7]]
    assert all(shown.pictures[0].startswith(b"\xff\xd8") for row in merged.chosen() for shown in row)


def test_add__draws_only_what_is_kept():
    drawn = []
    extremes = Extremes(1, "high")
    for index, score in enumerate([0.5, 0.6, 0.55, 0.52]):
        extremes.add(index, "", score, lambda index=index: drawn.append(index) or picture())
    assert drawn == [0, 1]


def test_add__large_pictures_are_kept_small():
    extremes = Extremes(1, "low")
    extremes.add(0, "", 1.0, lambda: picture(2000))
    assert Image.open(BytesIO(extremes.chosen()[1][0].pictures[1])).size == (SIDE, SIDE)
