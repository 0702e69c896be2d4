"""Draw the figures of a study, as PNG for documents and as SVG in the page's text colour."""

import io
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segapp.io import write_atomically
from segapp.report.results import Result, is_lower_better
from segapp.terminal.text import for_plot, for_terminal

matplotlib.use("agg")

INK = "#24272d"
"""Text colour of a PNG; in a page it is replaced by the page's, so that figures suit light and dark."""

COLOURS = ("#2f7fc1", "#e08a1e", "#1f9e77", "#c8559a", "#8a6fd1", "#d4502f", "#5fa8b8", "#8b8f3a", "#8c8c8c")
"""Distinct to most eyes, readable on white and on near-black."""

MAX_PANELS = 3
"""Scores beside each other: with more, their tick labels overlap."""

STYLE: Any = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
}


MACHINE = ("backend", "interactive", "toolbar", "timezone", "date.epoch", "webagg")
"""Beginnings of matplotlib's settings that are not about how a figure looks."""
DEFAULTS = {name: value for name, value in dict.items(matplotlib.rcParamsDefault) if not name.startswith(MACHINE)}


def use_defaults() -> AbstractContextManager[None]:
    """Use matplotlib's own settings inside.

    It reads a `matplotlibrc` of the current folder before any other, which may have come with someone's images: it
    could have LaTeX run.
    """
    context: AbstractContextManager[None] = matplotlib.rc_context(DEFAULTS)
    return context


def use_style() -> AbstractContextManager[None]:
    """Use segapp's style for the figures that are made inside."""
    context: AbstractContextManager[None] = matplotlib.rc_context({**DEFAULTS, **STYLE})
    return context


def make_figure(width: float, height: float) -> Figure:
    """Make a figure with a size in inches; narrow enough that its text is readable on a phone."""
    return Figure(figsize=(width, height), layout="constrained")


def save_png(figure: Figure, path: Path) -> None:
    """Save a PNG with a white background, for documents."""
    with use_style(), write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=150, facecolor="white", metadata={"Software": None})


def render_svg(figure: Figure, name: str) -> Markup:
    """Render an <svg> element for a page; the same figure gives the same text."""
    text = io.StringIO()
    with matplotlib.rc_context({**DEFAULTS, **STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return Markup(re.sub(r"<[^>]*>", lambda tag: _convert_tag(tag[0], name), svg[svg.index("<svg") :]))


def _convert_tag(tag: str, name: str) -> str:
    """Return a tag of a figure in the page's ink, its ids beginning with the figure's name; texts stay unchanged."""
    tag = tag.replace(INK, "currentColor")
    return tag.replace('id="', f'id="{name}-').replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")


def choose_colours(variants: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Choose every variant's colour and line style; after nine variants the colours repeat, dashed."""
    dashes = ("-", "--", ":")
    return {variant: (COLOURS[i % 9], dashes[i // 9 % 3]) for i, variant in enumerate(variants)}


def draw_curves(results: Sequence[Result]) -> Figure:
    """Draw training loss, validation loss and validation Dice over epochs.

    The mean over seeds, and each seed faintly.
    """
    panels = {"train/loss": "Training loss", "val/loss": "Validation loss", "val/dice/dataset": "Validation Dice"}
    variants = list(dict.fromkeys(result.variant for result in results if result.curves))
    figure = make_figure(10, 3.4 + 0.22 * math.ceil(len(variants) / 3))
    for axes, (name, title) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for variant, (colour, dash) in choose_colours(variants).items():
            lines = [_read_line(result, name) for result in results if result.variant == variant and result.curves]
            for line in lines:
                axes.plot(range(1, len(line) + 1), line, dash, color=colour, alpha=0.3, linewidth=0.8)
            shortest = min(map(len, lines))
            mean = np.mean([line[:shortest] for line in lines], axis=0)
            marker = "o" if shortest < 3 else None
            axes.plot(
                range(1, shortest + 1), mean, dash, color=colour, linewidth=2, label=for_plot(variant), marker=marker
            )
        axes.set(title=title, xlabel="epoch", yscale="log" if name.endswith("loss") and _is_wide(axes) else "linear")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.2, color=INK)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _is_wide(axes: Axes) -> bool:
    """Return whether a run's first epochs would flatten everything else.

    Batch norm's statistics have not settled then.
    """
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    return bool(np.nanmax(values) > 20 * np.nanmedian(values) and np.nanmin(values) > 0)


def _read_line(result: Result, name: str) -> list[float]:
    return [float(row.get(name) or "nan") for row in result.curves]


def draw_intervals(
    rows: Sequence[Mapping[str, Any]], label: str, zero: bool, points: Mapping[tuple[str, str], list[float]]
) -> Figure:
    """Draw estimates with their 95 % intervals, one per line, three panels (scores) beside each other.

    `points` (score, label) are drawn faintly behind. With `zero` the line of no difference is drawn.
    """
    scores = list(dict.fromkeys(row["score"] for row in rows))
    labels = list(dict.fromkeys(row[label] for row in rows))
    shown = [wrap_label(name) for name in labels]
    lines = max(name.count("\n") for name in shown) + 1
    across = min(len(scores), MAX_PANELS)
    down = math.ceil(len(scores) / across)
    figure = make_figure(10, down * (1.3 + (0.14 + 0.16 * lines) * len(labels)))
    panels = np.atleast_1d(figure.subplots(down, across, sharey=True)).ravel()
    for axes, score in zip(panels, scores, strict=False):
        for row in (row for row in rows if row["score"] == score):
            _draw_interval(axes, labels.index(row[label]), row, points.get((score, row[label]), []))
        if zero:
            axes.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        better = "less is better" if is_lower_better(score) else "more is better"
        axes.set_title(f"{for_plot(score)}\n({better})", fontsize=10)
        axes.set(ylim=(len(labels) - 0.5, -0.5), yticks=range(len(labels)))
        axes.set_yticklabels(shown, fontsize=9)
        axes.grid(axis="x", alpha=0.2, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.tick_params(axis="x", labelsize=8)
    for axes in panels[len(scores) :]:
        axes.remove()
    return figure


def wrap_label(name: str) -> str:
    """Return a label in lines of some 28 letters, ready to be drawn."""
    return "\n".join(for_plot(line) for line in textwrap.wrap(for_terminal(name), 28)) or " "


def _draw_interval(axes: Axes, y: int, row: Mapping[str, Any], points: Sequence[float]) -> None:
    axes.plot(points, [y] * len(points), "o", color=COLOURS[0], alpha=0.3, markersize=4)
    if not math.isnan(row["estimate"]):
        axes.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=2.2, solid_capstyle="round")
        axes.plot(row["estimate"], y, "o", color=COLOURS[0], markersize=7)
