import json
from collections import Counter

import numpy as np
import pytest
from datasets.tiny import people

from sapiens.datasets import check_data, open_data
from sapiens.datasets.mixture import Mixture, Part
from sapiens.errors import InputError


def parts(*rows) -> list[Part]:
    return [Part(f"p{k}", [people()[0]] * length, weight) for k, (length, weight) in enumerate(rows)]


EPOCHS = [
    ("equal weights", ((4, 1), (6, 1)), [4, 6]),
    ("twice as often", ((4, 2), (6, 1)), [8, 6]),
    ("fractions are relative", ((4, 0.5), (6, 0.25)), [8, 6]),
    ("not whole", ((4, 1.5), (6, 1)), [6, 6]),
    ("released eighth", ((8, 0.125), (2, 2)), [8, 32]),
    ("alone", ((5, 7),), [5]),
]


@pytest.mark.parametrize(("rows", "counts"), [row[1:] for row in EPOCHS], ids=[row[0] for row in EPOCHS])
def test_mixture__counts_of_an_epoch(rows, counts) -> None:
    mixture = Mixture("m", parts(*rows))
    assert len(mixture) == sum(counts)
    seen = Counter(mixture.place(index) for index in range(len(mixture)))
    for owner, ((length, _), count) in enumerate(zip(rows, counts, strict=True)):
        mine = [seen[owner, record] for record in range(length)]
        assert sum(mine) == count
        assert min(mine) >= 1
        assert max(mine) - min(mine) <= 1


def test_mixture__parts_are_spread_evenly() -> None:
    mixture = Mixture("m", parts((100, 1), (20, 1)))
    owners = np.array([mixture.place(index)[0] for index in range(len(mixture))])
    assert all(3 <= owners[start : start + 24].sum() <= 5 for start in range(97))
    assert [mixture.place(k) for k in range(len(mixture))] == [
        Mixture("m", parts((100, 1), (20, 1))).place(k) for k in range(120)
    ]


def test_mixture__file_with_synthetic_people(made, monkeypatch) -> None:
    monkeypatch.chdir(made.parent)
    mixture = open_data(made / "mix.toml", "seg")
    assert len(mixture) == 16
    assert {sample.id.split("/")[0] for sample in mixture} == {"0000", "0001", "0002", "0003", "seed1_64x48_people1-1"}
    report = check_data(made / "mix.toml", "seg")
    assert report.count == 12
    assert report.parts == (("parts/train", 4, 8), ("synth:seed=1,count=8,size=64x48", 8, 8))


def test_mixture__json_options_and_mixtures_within(fresh) -> None:
    inner = {"data": [{"spec": "parts/train", "labels": "own", "map": "parts/classes.json"}]}
    (fresh / "inner.json").write_text(json.dumps(inner))
    (fresh / "outer.json").write_text(
        json.dumps({"data": [{"spec": "inner.json"}, {"spec": "parts/val", "weight": 2}]})
    )
    mixture = open_data(fresh / "outer.json", "seg")
    assert len(mixture) == 8
    np.testing.assert_array_equal(mixture[1].fields["labels"], people()[4].fields["labels"])


BAD = [
    ("weight 0", [{"spec": "parts/train", "weight": 0}], "expected a positive number"),
    ("weight of words", [{"spec": "parts/train", "weight": "two"}], "expected a number"),
    ("no spec", [{"weight": 1}], "expected a table with spec"),
    ("unknown option", [{"spec": "parts/train", "wieght": 1}], "wieght"),
    ("itself", [{"spec": "m.json"}], "contains itself"),
    ("empty", [], "expected only"),
]


@pytest.mark.parametrize(("data", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_mixture__bad_files(fresh, data, message) -> None:
    (fresh / "m.json").write_text(json.dumps({"data": data}))
    with pytest.raises(InputError) as raised:
        open_data(fresh / "m.json", "seg")
    assert message in str(raised.value)


def test_mixture__all_bad_parts_at_once(fresh) -> None:
    (fresh / "m.toml").write_text('[[data]]\nspec = "nowhere"\n[[data]]\nspec = "noplace"\n')
    with pytest.raises(InputError) as raised:
        open_data(fresh / "m.toml", "seg")
    assert "nowhere" in str(raised.value)
    assert "noplace" in str(raised.value)


def test_mixture__problem_in_one_part_names_that_part(fresh) -> None:
    (fresh / "parts/train/labels/0003.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"parts/train, record 0003: .*empty"):
        open_data(fresh / "mix.toml", "seg")
