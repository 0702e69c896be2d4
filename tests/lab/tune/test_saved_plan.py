"""A comparison that was begun is continued with the same measurements."""

import json

import pytest

from segapp.errors import MisuseError
from segapp.lab.tune.saved_plan import FILE, SavedPlan, read_saved_plan, write_saved_plan
from segapp.planning.run_length import Pace

INPUTS = {"images": "photos", "budget": "30m", "tune": 3}
BEGUN = SavedPlan(INPUTS, (None, Pace(0.5, 12.25), Pace(1.5, 0.0)))


def test_what_was_begun_is_read_back(tmp_path):
    assert read_saved_plan(tmp_path, INPUTS) is None
    write_saved_plan(tmp_path / "runs", BEGUN)
    assert read_saved_plan(tmp_path / "runs", INPUTS) == BEGUN


def test_other_options_are_refused_by_name(tmp_path):
    write_saved_plan(tmp_path, BEGUN)
    with pytest.raises(MisuseError, match="--budget '30m', not '2h'"):
        read_saved_plan(tmp_path, INPUTS | {"budget": "2h"})


@pytest.mark.parametrize("paces", [3, [3], [[1]], [["a", 1]], [[-1, 0]], [[1, -1]], [[1e999, 0]], [{"step": 1}]])
def test_a_damaged_record_is_named(tmp_path, paces):
    (tmp_path / FILE).write_text(json.dumps({"inputs": INPUTS, "paces": paces}))
    with pytest.raises(MisuseError, match=r"plan\.json"):
        read_saved_plan(tmp_path, INPUTS)


@pytest.mark.parametrize("text", ["{}", "[]", '{"inputs": 3, "paces": []}', "{"])
def test_other_files_are_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(MisuseError, match=r"plan\.json"):
        read_saved_plan(tmp_path, INPUTS)
