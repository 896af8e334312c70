from dataclasses import dataclass

import pytest

from sapiens.datasets.formats import FORMATS
from sapiens.datasets.options import make_options, parse_spec
from sapiens.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Some:
    folder: str = ""
    count: int = 3
    share: float = 0.5
    on: bool = False


SPECS = [
    ("options only", "synth:seed=1,people=1-4", ("synth", "", {"seed": "1", "people": "1-4"})),
    ("format alone", "synth", ("synth", "", {})),
    ("path alone", "some/where.json", ("", "some/where.json", {})),
    ("path and options", "labels:parts,map=m.json", ("labels", "parts", {"map": "m.json"})),
    ("options without format", "parts,labels=own", ("", "parts", {"labels": "own"})),
    ("comma in the path", "labels:a,b/c,map=m", ("labels", "a,b/c", {"map": "m"})),
    ("equals sign in a folder", "labels:run=3/data", ("labels", "run=3/data", {})),
    ("drive", "C:\\data\\parts", ("", "C:\\data\\parts", {})),
    ("braces", "shards:d/t-{00..03}.tar", ("shards", "d/t-{00..03}.tar", {})),
    ("value with equals", "labels:p,map=a=b", ("labels", "p", {"map": "a=b"})),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in SPECS], ids=[row[0] for row in SPECS])
def test_parse_spec__takes_apart(text, expected) -> None:
    spec = parse_spec(text, FORMATS)
    assert (spec.format, spec.path, spec.options) == expected


def test_parse_spec__existing_path_is_a_path_whatever_it_looks_like(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels:odd,map=x").mkdir()
    assert parse_spec("labels:odd,map=x", FORMATS).path == "labels:odd,map=x"


def test_parse_spec__unknown_format_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="labels"):
        parse_spec("label:parts", FORMATS)


def test_parse_spec__empty() -> None:
    with pytest.raises(InputError, match="empty spec"):
        parse_spec("  ", FORMATS)


def test_make_options__types() -> None:
    made = make_options(Some, {"folder": "2017", "count": "12", "share": "1", "on": "true"}, "some")
    assert made == Some("2017", 12, 1.0, True)
    assert make_options(Some, {"on": "1", "folder": 2017}, "some") == Some("2017", on=True)


BAD = [
    ("unknown", {"cuont": "3"}, "count"),
    ("no number", {"count": "many"}, "expected int"),
    ("bool", {"on": "maybe"}, "bool"),
]


@pytest.mark.parametrize(("values", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_make_options__bad_values(values, message) -> None:
    with pytest.raises(InputError) as raised:
        make_options(Some, values, "some")
    assert message in str(raised.value)
