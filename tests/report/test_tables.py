"""The same rows as CSV, LaTeX and HTML."""

import math

import pytest

from segapp.report.tables import format_html, format_number, list_columns, write_csv, write_tex


def test_latex_and_html_are_escaped(tmp_path):
    rows = [{"variant": "a_b & 5 %", "dice": 0.5, "n": 1200, "none": math.nan}]
    write_tex(tmp_path / "t.tex", rows, "100 %")
    assert r"a\_b \& 5 \% & 0.5000 & 1,200 & -- \\" in (tmp_path / "t.tex").read_text()
    assert "<td>a_b &amp; 5 %</td>" in format_html(rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (1_234_567, "1,234,567"),
        (0.0, "0.0000"),
        (-0.98765, "-0.9877"),
        (0.00012345, "0.0001234"),
        (1234.5678, "1235"),
        (True, "True"),
        ("word", "word"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert format_number(value) == text


def test_csv_keeps_numbers_and_leaves_gaps(tmp_path):
    rows = [{"a": 1 / 3, "b": "x,y"}, {"b": None, "c": math.nan}]
    assert list_columns(rows) == ["a", "b", "c"]
    write_csv(tmp_path / "t.csv", rows)
    assert (tmp_path / "t.csv").read_text().splitlines() == ["a,b,c", f'{1 / 3},"x,y",', ",,"]


def test_columns_of_numbers_are_aligned_to_the_right(tmp_path):
    rows = [{"name": "a", "dice": None, "n": "1"}, {"name": "b", "dice": 0.5, "n": 2}]
    write_tex(tmp_path / "t.tex", rows, "")
    assert r"\begin{tabular}{lrl}" in (tmp_path / "t.tex").read_text()
    assert format_html(rows).count('<td class="number">') == 2
