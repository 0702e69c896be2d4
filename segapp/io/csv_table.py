"""Tables as CSV in UTF-8, written completely or not at all; a spreadsheet takes every cell for text."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from segapp.errors import SegappError
from segapp.io.write import explain_errors, write_atomically
from segapp.system.text_files import read_text
from segapp.terminal.text import for_csv, from_csv


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
    """Return the rows of what `write_table` wrote by the names of their columns; raises SegappError for other files."""
    try:
        lines = io.StringIO(read_text(path), newline="")
        header, *rows = [[from_csv(cell) for cell in row] for row in csv.reader(lines)]
        return [dict(zip(header, row, strict=True)) for row in rows]
    except (ValueError, csv.Error) as error:
        raise SegappError(f"{path}: not a table of segapp, or damaged ({error}).") from error
