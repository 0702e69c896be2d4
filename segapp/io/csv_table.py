"""Tables as CSV in UTF-8, written completely or not at all; a spreadsheet takes every cell for text."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from segapp.errors import SegappError
from segapp.io.write import explain_errors, write_atomically
from segapp.system.text_files import read_text
from segapp.terminal.text import for_csv, from_csv

MOST_ROWS = 1_000_000
"""Rows of a table that is read: images, or epochs."""
MOST_CELLS = 5_000_000
"""Cells of a table that is read; each takes some 100 bytes."""


def write_table(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a header and rows; raises SegappError when writing fails."""
    with (
        explain_errors(path),
        write_atomically(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(map(for_csv, header))
        writer.writerows(map(for_csv, row) for row in rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of what `write_table` wrote by the names of their columns.

    Raises SegappError for other files, and for more than MOST_ROWS or MOST_CELLS.
    """
    try:
        lines = csv.reader(io.StringIO(read_text(path), newline=""))
        header = [from_csv(cell) for cell in next(lines, [])]
        most = min(MOST_ROWS, MOST_CELLS // max(1, len(header)))
        rows: list[dict[str, str]] = []
        for row in lines:
            if len(rows) == most:
                raise SegappError(f"{path}: more than {most:,} rows of {len(header)} columns, which are not read.")
            rows.append(dict(zip(header, map(from_csv, row), strict=True)))
        return rows
    except (ValueError, csv.Error) as error:
        raise SegappError(f"{path}: not a table of segapp, or damaged ({error}).") from error
