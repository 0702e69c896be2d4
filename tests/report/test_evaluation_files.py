"""The files of an evaluation."""

import json
import math

from segapp.report.evaluation_files import convert_scores, write_json, write_rows


def test_json_has_null_for_what_was_not_scored(tmp_path) -> None:
    write_json(tmp_path / "metrics.json", {"scores": convert_scores({"a": math.nan, "b": 0.5})})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"scores": {"a": None, "b": 0.5}}


def test_cells_have_ten_digits_and_large_counts_all(tmp_path) -> None:
    write_rows(tmp_path / "t.csv", ["name", "dice", "tp", "tn"], [["a", 2 / 3, math.nan, 12345678901234.0]])
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "a,0.6666666667,,12345678901234"
