"""Rows that are added in one thread and written in another."""

import threading

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io.formats.row_thread import gather_bands, open_row_thread

ROWS = np.arange(40, dtype=np.uint8).reshape(10, 4)


@pytest.mark.parametrize(("given", "height"), [(1, 3), (4, 4), (10, 1), (3, 10), (7, 30)])
def test_bands_hold_all_rows_in_order(given, height):
    rows = iter([ROWS[top : top + given] for top in range(0, 10, given)])
    bands = list(gather_bands(rows, ROWS.shape, height))
    assert [top for top, _ in bands] == list(range(0, 10, height))
    np.testing.assert_array_equal(np.concatenate([band for _, band in bands]), ROWS)


def test_missing_rows_are_counted():
    with pytest.raises(SegappError, match="7 of 10 rows"):
        list(gather_bands(iter([ROWS[:7]]), ROWS.shape, 3))


def test_rows_are_filtered_and_written_in_their_order():
    written = []
    with open_row_thread(written.extend, lambda rows: (band + 1 for band in rows)) as thread:
        for row in ROWS:
            thread.add(row[None])
    np.testing.assert_array_equal(np.concatenate(written), ROWS + 1)


def test_an_error_of_the_writer_is_raised_and_no_thread_is_left():
    before = threading.active_count()

    def fail(rows):
        next(rows)
        raise OSError("full")

    with pytest.raises(OSError, match="full"), open_row_thread(fail, iter) as thread:
        for row in ROWS:
            thread.add(row[None])
    assert threading.active_count() == before


def test_ctrl_c_while_the_last_rows_are_written_waits_for_the_thread(monkeypatch):
    """Its file was removed while it still wrote."""
    written, may_write, join = [], threading.Event(), threading.Thread.join

    def write(rows):
        for band in rows:
            may_write.wait(10)
            written.append(band)

    def join_interrupted(thread):
        monkeypatch.setattr(threading.Thread, "join", join)
        may_write.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_row_thread(write, iter) as thread:
        thread.add(ROWS)
        monkeypatch.setattr(threading.Thread, "join", join_interrupted)
    assert not thread._thread.is_alive() and len(written) == 1
