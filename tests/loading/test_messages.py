"""Messages about the data."""

import pytest
from lightning.pytorch.utilities import rank_zero_only

from segapp.loading.messages import format_some, report


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "n0"), (3, "n0, n1, n2"), (4, "n0, n1, n2 … and 1 more"), (9, "n0, n1, n2 … and 6 more")],
)
def test_the_first_names_are_shown_and_the_others_counted(count, text):
    assert format_some([f"n{i}" for i in range(count)]) == text


def test_two_names_at_most_where_asked_for():
    assert format_some(["a", "b", "c"], shown=2) == "a, b … and 1 more"


@pytest.mark.parametrize(("rank", "count"), [(0, 1), (1, 0)])
def test_only_the_first_process_reports_and_names_are_escaped(monkeypatch, caplog, rank, count):
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    report("two\x1b[2Jimages, 50 % new")
    assert len(caplog.records) == count
    assert "\x1b" not in caplog.text and ("50 % new" in caplog.text) == bool(count)
