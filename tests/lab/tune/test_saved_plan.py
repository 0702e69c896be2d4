"""A comparison that was begun is continued with the same plan."""

import pytest

from segapp.errors import MisuseError
from segapp.lab.tune.saved_plan import FILE, SavedPlan, read_saved_plan, write_saved_plan
from segapp.planning.decisions import Decision

INPUTS = {"images": "photos", "budget": "30m", "tune": 3}
BEGUN = SavedPlan(INPUTS, "heading", (Decision("data.crop", [64, 64], "why"), Decision("name", "x", "")))


def test_what_was_begun_is_read_back(tmp_path):
    assert read_saved_plan(tmp_path, INPUTS) is None
    write_saved_plan(tmp_path / "runs", BEGUN)
    assert read_saved_plan(tmp_path / "runs", INPUTS) == BEGUN


def test_other_options_are_refused_by_name(tmp_path):
    write_saved_plan(tmp_path, BEGUN)
    with pytest.raises(MisuseError, match="--budget '30m', not '2h'"):
        read_saved_plan(tmp_path, INPUTS | {"budget": "2h"})


@pytest.mark.parametrize(
    "text", ["{}", '{"decisions": 3, "inputs": {}, "heading": ""}', "[]", '{"decisions": [{"a": 1}]}']
)
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(MisuseError, match=r"plan\.json"):
        read_saved_plan(tmp_path, INPUTS)
