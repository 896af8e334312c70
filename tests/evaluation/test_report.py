import json
import math
from html.parser import HTMLParser

import pytest

from sapiens.evaluation import Failure, Report, Shown, save_json, save_page
from sapiens.evaluation.page import make_page
from sapiens.evaluation.report import summary

NUMBERS = {"miou": 0.5, "miou_common": 0.6, "macc": 0.7, "aacc": 0.9, "boundary_f": math.nan, "iou/Hair": 0.25}
PICTURES = (b"\xff\xd81", b"\xff\xd82", b"\xff\xd83")


def report(**changes):
    values = {
        "task": "seg",
        "data": "parts & <more>",
        "model": "sapiens2_nano_seg",
        "weights": "0123456789abcdef",
        "dtype": "float32",
        "compat": "default",
        "device": "cpu",
        "headline": ("miou", "high"),
        "count": 3,
        "metrics": NUMBERS,
        "trivial": {"mean map": {**NUMBERS, "miou": 0.1}, "majority class": {**NUMBERS, "miou": 0.2}},
        "tables": {"confusion": (("Background", "Hair"), ((8, 2), (1, 9)))},
        "best": (Shown(2, "best.png", 0.8, PICTURES),),
        "worst": (Shown(0, "worst <b>.png", 0.2, PICTURES),),
        "failures": (Failure("x", "x: is <damaged>"),),
    }
    return Report(**(values | changes))


def test_save_json__holds_everything_and_no_nan(tmp_path):
    path = save_json([report()], tmp_path / "r.json", machine="two cores")
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["machine"] == "two cores"
    (got,) = content["reports"]
    assert got["metrics"] == {**NUMBERS, "boundary_f": None}
    assert got["headline"] == {"metric": "miou", "good": "high", "value": 0.5}
    assert got["trivial"]["mean map"]["miou"] == 0.1
    assert got["tables"]["confusion"] == {"names": ["Background", "Hair"], "rows": [[8, 2], [1, 9]]}
    assert got["worst"] == [{"index": 0, "id": "worst <b>.png", "score": 0.2}]
    assert got["failures"] == [{"id": "x", "message": "x: is <damaged>"}]


def test_save_json__infinite_numbers_become_null(tmp_path):
    path = save_json([report(metrics={**NUMBERS, "miou": math.inf})], tmp_path / "r.json")
    assert json.loads(path.read_text())["reports"][0]["metrics"]["miou"] is None


class Page(HTMLParser):
    """Checks that tags are closed in order, and gathers links to other files, and the text."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.links, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page__is_well_formed_and_needs_nothing_else(tmp_path):
    numbers = {"mean_deg": 9.0}
    other = report(task="normal", headline=("mean_deg", "low"), metrics=numbers, trivial={}, tables={})
    path = save_page([report(), other], tmp_path / "p.html", machine="two cores")
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    assert {link.partition(",")[0] for link in page.links} == {"#r0", "#r1", "data:image/jpeg;base64"}
    assert "http" not in path.read_text().replace("<!doctype html>", "")
    for words in ("two cores", "parts & <more>", "worst <b>.png", "x: is <damaged>", "mean map", "Hair", "0.25"):
        assert words in page.text, words


def test_page__shows_the_numbers_of_classes_as_rows():
    page = make_page([report()])
    assert "<tr><td>Hair</td><td>0.25</td></tr>" in page
    assert "iou/Hair" not in page
    assert "<td>normals/mean_deg</td>" in make_page([report(metrics={**NUMBERS, "normals/mean_deg": 1.0}, trivial={})])


def test_summary__shows_trivial_answers_beside():
    rows = {row["number"]: row for row in summary([report()])}
    assert list(rows) == ["miou_common", "miou", "macc", "aacc", "boundary_f"]
    assert rows["miou"] == {
        "data": "parts & <more>",
        "task": "seg",
        "number": "miou",
        "good": "high",
        "sapiens2_nano": 0.5,
        "trivial answers": "mean map 0.1, majority class 0.2",
    }
    assert "trivial answers" not in summary([report(trivial={})])[0]
