"""A comparison that was begun is continued with the same plan."""

import pytest

from segapp.errors import MisuseError
from segapp.lab.tune.record import RECORD, Begun, read_begun, write_begun
from segapp.planning.decisions import Decision

INPUTS = {"images": "photos", "budget": "30m", "tune": 3}
BEGUN = Begun(INPUTS, "heading", (Decision("data.crop", [64, 64], "why"), Decision("name", "x", "")))


def test_what_was_begun_is_read_back(tmp_path):
    assert read_begun(tmp_path, INPUTS) is None
    write_begun(tmp_path / "runs", BEGUN)
    assert read_begun(tmp_path / "runs", INPUTS) == BEGUN


def test_other_options_are_refused_by_name(tmp_path):
    write_begun(tmp_path, BEGUN)
    with pytest.raises(MisuseError, match="--budget '30m', not '2h'"):
        read_begun(tmp_path, INPUTS | {"budget": "2h"})


@pytest.mark.parametrize(
    "text", ["{}", '{"decisions": 3, "inputs": {}, "heading": ""}', "[]", '{"decisions": [{"a": 1}]}']
)
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(MisuseError, match=r"plan\.json"):
        read_begun(tmp_path, INPUTS)
