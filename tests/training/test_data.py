import dataclasses

import pytest
import torch
from helpers_training import RECIPE, Pictures, Toy

from sapiens.errors import InputError
from sapiens.training.data import Example, Examples, Order, collate, make_loader


def order(seen=0, update=0, rank=0, world=1, **changes):
    recipe = dataclasses.replace(RECIPE, iterations=7, **changes)
    return list(Order(recipe, 5, seen=seen, update=update, rank=rank, world=world))


def test_order__every_epoch_has_every_picture_once() -> None:
    places = [place for batch in order() for place in batch][:10]
    assert sorted(places) == [(epoch, index) for epoch in range(2) for index in range(5)]
    assert [i for e, i in places if e == 0] != [i for e, i in places if e == 1]


def test_order__goes_on_where_it_was() -> None:
    assert order(seen=6, update=3) == order()[3:]


def test_order__processes_and_passes_share_the_row() -> None:
    large = order(batch_size=4)
    both = [a + b for a, b in zip(order(rank=0, world=2), order(rank=1, world=2), strict=True)]
    passes = order(accumulate=2)
    assert both == large
    assert [passes[i] + passes[i + 1] for i in range(0, 14, 2)] == large


@pytest.mark.slow
def test_loader__workers_change_nothing() -> None:
    def batches(workers):
        recipe = dataclasses.replace(RECIPE, iterations=3, workers=workers)
        examples = Examples(Pictures(), Toy().lesson(), recipe)
        return list(make_loader(examples, Order(recipe, 7, seen=0, update=0), torch.device("cpu")))

    for one, other in zip(batches(0), batches(2), strict=True):
        assert one.ids == other.ids
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_examples__none() -> None:
    with pytest.raises(InputError, match="no record"):
        Examples(Pictures(0), Toy().lesson(), RECIPE)


def test_collate__shapes_differ() -> None:
    with pytest.raises(InputError, match="b: x has shape"):
        collate([Example({"x": torch.zeros(2)}, "a"), Example({"x": torch.zeros(3)}, "b")])
