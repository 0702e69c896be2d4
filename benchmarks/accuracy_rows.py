"""The rows of benchmarks/accuracy.py, one a training, and their table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

COLUMNS = ("set", "arm", "seed", "val", "test_dice", "test_iou", "steps", "seconds", "parameters", "note")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read all rows; none where there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row, and the header before the first."""
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()})


def format_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Format Markdown: a row per set and arm, means over seeds with the least and the largest."""
    lines = ["| set | arm | test mIoU | test Dice | validation mIoU | steps | seconds | parameters | seeds |"]
    lines.append("|---" * 9 + "|")
    for name, arm in dict.fromkeys((row["set"], row["arm"]) for row in rows):
        own = [row for row in rows if (row["set"], row["arm"]) == (name, arm)]
        cells = [describe_spread([float(row[key]) for row in own]) for key in ("test_iou", "test_dice", "val")]
        numbers = [f"{mean(float(row[key]) for row in own):,.0f}" for key in ("steps", "seconds", "parameters")]
        lines.append("| " + " | ".join([name, arm, *cells, *numbers, str(len(own))]) + " |")
    return "\n".join(lines)


def describe_spread(values: Sequence[float]) -> str:
    """Return the mean of the seeds, of several with the least and the largest."""
    spread = f" ({min(values):.3f} … {max(values):.3f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"
