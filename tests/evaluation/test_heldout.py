from sapiens.datasets import open_data
from sapiens.evaluation.heldout import HELD_OUT


def test_held_out__are_the_documented_sets():
    assert [(s.name, s.seed, s.people) for s in HELD_OUT] == [
        ("one person", 900_001, (1, 1)),
        ("one to four people", 900_002, (1, 4)),
    ]
    for held_out in HELD_OUT:
        assert len(held_out.pictures()) == 256
        assert held_out.pictures().spec.size_hw == (256, 192)
        assert open_data(held_out.spec, "seg", check=False).spec == held_out.pictures().spec


def test_held_out__no_seed_is_used_twice():
    seeds = [seed for held_out in HELD_OUT for seed in (held_out.seed, held_out.trivial_seed)]
    assert len(set(seeds)) == len(seeds)
