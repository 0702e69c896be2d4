"""Tables come back as written, and no cell is a formula."""

import pytest

from segapp.errors import SegappError
from segapp.io import csv_table, read_table, write_table


def test_rows_come_back_by_the_names_of_their_columns(tmp_path):
    path = tmp_path / "new" / "a.csv"
    write_table(path, ["name", "dice"], [["a,b\n“c”", 0.5], ["=1+1", ""]])
    assert read_table(path) == [{"name": "a,b\n“c”", "dice": "0.5"}, {"name": "=1+1", "dice": ""}]
    assert "\n=1+1" not in path.read_text()  # a spreadsheet would compute it


def test_rows_of_another_length_are_damage(tmp_path):
    (tmp_path / "a.csv").write_text("name,dice\na,1\nb\n")
    with pytest.raises(SegappError, match=r"a\.csv"):
        read_table(tmp_path / "a.csv")


def test_a_table_that_cannot_be_written_names_its_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(SegappError, match=r"a\.csv"):
        write_table(tmp_path / "a.csv", ["name"], [])


def test_a_table_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "MOST_ROWS", 3)
    monkeypatch.setattr(csv_table, "MOST_CELLS", 4)
    path = tmp_path / "a.csv"
    for header, most in (("n", 3), ("n,m", 2)):
        row = header.replace("n", "1")
        path.write_text("\n".join([header, *[row] * most]))
        assert len(read_table(path)) == most
        path.write_text("\n".join([header, *[row] * (most + 1)]))
        with pytest.raises(SegappError, match=r"a\.csv: more than"):
            read_table(path)
