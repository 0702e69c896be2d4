"""What is opened before anything is scored."""

import json
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.lab.compare.opening import Request, find_unit, open_competitors
from segapp.metrics import BoundaryUnit
from segapp.report.results import Result


def make_request(*words, data="data.yaml", encoding=()):
    return Request(words, Path("out"), data, encoding, False, "test", [])


def test_folders_are_opened_with_their_names_and_encodings(tools):
    opened = open_competitors(make_request("one=one", "two=two", encoding=["two:background=0,cell=9"]))
    assert list(opened.masks) == ["one", "two"] and opened.results == {} and opened.configs == {}
    items = list(opened.truth.items.values())
    assert [item.name for item in opened.masks["two"].find_items(items)] == ["a", "b"]
    assert set(opened.masks["two"].read(items[0]).ravel()) == {0, 1}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (make_request("one=one", "two=two", data=""), "--data FILE"),
        (make_request("one=one", "two=nothing"), "nothing"),
        (make_request("one", "two"), "NAME=FOLDER"),
    ],
    ids=["no masks", "no folder", "no run"],
)
def test_what_is_missing_is_named(tools, request_, found):
    with pytest.raises(MisuseError, match=found):
        open_competitors(request_)


def test_runs_measure_distances_in_one_unit(tmp_path):
    def write_result(name, **more):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps({"loss": None, "scores": {}, **more}))
        return Result(name, 0, evaluation=tmp_path / name)

    pixels = write_result("pixels")
    first, second = (write_result(name, boundaries={"tolerance": 0.5, "unit": "mm"}) for name in ("first", "second"))
    assert find_unit({}) == find_unit({"pixels": pixels}) == BoundaryUnit()
    assert find_unit({"first": first, "second": second}) == BoundaryUnit(0.5, name="mm")
    with pytest.raises(MisuseError, match=r"first was tested with --tolerance 0.5mm, and pixels with 2px"):
        find_unit({"first": first, "pixels": pixels})
