"""Format a tool's scores as a readable table."""

import math
from collections.abc import Sequence

from segapp.metrics.tools.tool import ToolScores
from segapp.terminal.text import for_terminal


def format_scores(scores: ToolScores, classes: Sequence[str]) -> str:
    """Format a line for each class and for the mean, then the scores that have no classes; `-` where there is none."""
    names = [for_terminal(name) for name in classes]
    by_class = {name: value for name, value in scores.values.items() if value.per_class}
    overall = {name: value.mean for name, value in scores.values.items() if not value.per_class}
    width = max(map(len, ("mean", "class", *(names if by_class else ()), *overall)))
    lines = []
    if by_class:
        widths = [max(10, len(name)) for name in by_class]
        rows = [(name, [value.per_class[i] for value in by_class.values()]) for i, name in enumerate(names)]
        rows.append(("mean", [value.mean for value in by_class.values()]))
        lines.append(f"  {'class':<{width}}  " + "  ".join(f"{n:>{w}}" for n, w in zip(by_class, widths, strict=True)))
        for name, values in rows:
            cells = "  ".join(f"{_format(value):>{w}}" for value, w in zip(values, widths, strict=True))
            lines.append(f"  {name:<{width}}  {cells}")
    lines += [f"  {name:<{width}}  {_format(value):>10}" for name, value in overall.items()]
    return "\n".join(lines)


def _format(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
