"""How many unreadable files are few."""

import pytest

from segapp.planning.unreadable import are_few


@pytest.mark.parametrize(("most", "total"), [(1, 3), (1, 20), (2, 40), (5, 100)])
def test_one_or_a_twentieth_of_the_files_are_few(most, total):
    assert are_few(most, total) and not are_few(most + 1, total)
