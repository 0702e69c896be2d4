"""Writes rows that one thread adds and another takes, so that no mask is in memory as a whole."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.format import RowFilter

Rows = Iterator[np.ndarray]


class RowThread:
    """A sink for the rows of a (H, W) uint8 mask, from top to bottom, which are written in a thread.

    Args:
        write: Writes all rows that it is given.
        filter_rows: Changes the rows on their way, in the thread.
    """

    def __init__(self, write: Callable[[Rows], None], filter_rows: RowFilter) -> None:
        self._filter_rows = filter_rows
        self._rows: Queue[np.ndarray | None] = Queue(maxsize=2)  # None: there are no more
        self._ended = False
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._write, args=(write,), daemon=True)
        self._thread.start()

    def add(self, rows: np.ndarray, part: str = "") -> None:
        """Take the next (h, W) uint8 rows; raise what went wrong with earlier ones."""
        if self._failed:
            raise self._failed
        self._rows.put(np.ascontiguousarray(rows))

    def close(self) -> None:
        """Wait until everything is written; raises what went wrong."""
        self.discard()
        if self._failed:
            raise self._failed

    def discard(self) -> None:
        """End the thread, even if rows are missing."""
        self._rows.put(None)
        self._thread.join()

    def _write(self, write: Callable[[Rows], None]) -> None:
        try:
            write(self._filter_rows(self._take_rows()))
        except BaseException as error:  # not lost: `add` and `close` raise it
            self._failed = error
            while not self._ended and self._rows.get() is not None:
                continue  # `add` must not wait for room in the queue of a writer that has stopped

    def _take_rows(self) -> Rows:
        while (rows := self._rows.get()) is not None:
            yield rows
        self._ended = True


@contextmanager
def open_row_thread(write: Callable[[Rows], None], filter_rows: RowFilter) -> Iterator[RowThread]:
    """Give a sink whose rows are written when the context ends; see `RowThread`."""
    thread = RowThread(write, filter_rows)
    try:
        yield thread
        thread.close()
    except BaseException:  # also Ctrl-C while the last rows are written: the thread ends before its file is removed
        thread.discard()
        raise


def gather_bands(rows: Rows, shape: tuple[int, int], height: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield bands of so many rows, the last one of those that are left, each with the place of its first row.

    Args:
        rows: Any number of rows at a time.
        shape: Of all rows together.
        height: Rows of a band.

    Raises:
        SegappError: Rows are missing.
    """
    held = np.empty((0, shape[1]), np.uint8)
    for top in range(0, shape[0], height):
        needed = min(height, shape[0] - top)
        while len(held) < needed:
            more = next(rows, None)
            if more is None:
                raise SegappError(f"{top + len(held)} of {shape[0]} rows were given.")
            held = np.concatenate([held, more])
        yield top, held[:needed]
        held = held[needed:]
