"""Write the same rows as CSV, LaTeX and HTML."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from segapp.io import write_atomically, write_table
from segapp.report.markup import render_part
from segapp.terminal.text import for_terminal

Rows = Sequence[Mapping[str, Any]]
_SIGNS = {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
_TEX = {character: f"\\{character}" for character in "&%$#_{}"} | _SIGNS


def list_columns(rows: Rows) -> list[str]:
    """List all keys, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def write_csv(path: Path, rows: Rows) -> None:
    """Write numbers at full precision; nothing where there is none."""
    names = list_columns(rows)
    values = ([row.get(name) for name in names] for row in rows)
    write_table(path, names, (["" if _is_missing(value) else value for value in line] for line in values))


def write_tex(path: Path, rows: Rows, caption: str) -> None:
    """Write a table of the LaTeX package booktabs."""
    names = list_columns(rows)
    kinds = "".join("r" if _is_number(rows, name) else "l" for name in names)
    lines = [r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering", rf"\caption{{{_escape_tex(caption)}}}"]
    lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", _format_tex_row(names), r"\midrule"]
    lines += [_format_tex_row([format_number(row.get(name)) for name in names]) for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    with write_atomically(path) as temporary:
        temporary.write_text("\n".join(lines))


def format_html(rows: Rows, wrapped: Collection[str] = ()) -> Markup:
    """Format a table that scrolls sideways where the screen is narrow; cells of `wrapped` columns break their lines."""
    names = list_columns(rows)
    kinds = ["number" if _is_number(rows, name) else "text" if name in wrapped else "" for name in names]
    return render_part("table", names, kinds, [[format_number(row.get(name)) for name in names] for row in rows])


def format_number(value: Any) -> str:
    """Format a number for a table: integers with thousands, others to four digits."""
    if _is_missing(value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 100 or value == 0 else f"{value:.4g}"


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_number(rows: Rows, name: str) -> bool:
    values = [row.get(name) for row in rows if not _is_missing(row.get(name))]
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _format_tex_row(words: Sequence[str]) -> str:
    return " & ".join(map(_escape_tex, words)) + r" \\"


def _escape_tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in for_terminal(text)).replace("–", "--")
