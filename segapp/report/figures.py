"""Figures of a study, each drawn once: as PNG for documents, as SVG that takes the page's ink."""

import io
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segapp.io import atomic_path
from segapp.report.effects import gradient_profile
from segapp.report.results import LOWER_IS_BETTER, Result, natural

matplotlib.use("agg")

INK = "#24272d"
"""In a PNG this colour; in a page whatever the text's colour is, so that figures suit light and dark."""

COLOURS = ("#2f7fc1", "#e08a1e", "#1f9e77", "#c8559a", "#8a6fd1", "#d4502f", "#5fa8b8", "#8b8f3a", "#8c8c8c")
"""Distinct to most eyes, readable on white and on near-black."""

NAMED = 16
"""Modules that are named in a picture; of more only some are, so that the names can be read."""

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


def style() -> AbstractContextManager[None]:
    """Figures are made under it."""
    context: AbstractContextManager[None] = matplotlib.rc_context(STYLE)
    return context


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches; narrow enough that its text is readable on a phone."""
    return Figure(figsize=(width, height), layout="constrained")


def save_png(figure: Figure, path: Path) -> None:
    """White behind it, for documents."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, facecolor="white", metadata={"Software": None})


def as_svg(figure: Figure, name: str) -> str:
    """An <svg> element to stand in a page; the same figure gives the same text."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return svg.replace('id="', f'id="{name}-').replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")


def colour_of(arms: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Every arm's colour and line style; after nine arms the colours come again, dashed."""
    dashes = ("-", "--", ":")
    return {arm: (COLOURS[i % 9], dashes[i // 9 % 3]) for i, arm in enumerate(arms)}


def curves(results: Sequence[Result]) -> Figure:
    """Training loss, validation loss and validation Dice over epochs: the mean over seeds, and each seed faintly."""
    panels = {"train/loss": "Training loss", "val/loss": "Validation loss", "val/dice/dataset": "Validation Dice"}
    arms = list(dict.fromkeys(result.arm for result in results if result.curves))
    figure = new_figure(10, 3.4 + 0.22 * math.ceil(len(arms) / 3))
    for axes, (name, title) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for arm, (colour, dash) in colour_of(arms).items():
            lines = [_line(result, name) for result in results if result.arm == arm and result.curves]
            for line in lines:
                axes.plot(range(1, len(line) + 1), line, dash, color=colour, alpha=0.3, linewidth=0.8)
            shortest = min(map(len, lines))
            mean = np.mean([line[:shortest] for line in lines], axis=0)
            marker = "o" if shortest < 3 else None
            axes.plot(range(1, shortest + 1), mean, dash, color=colour, linewidth=2, label=arm, marker=marker)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.2, color=INK)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _line(result: Result, name: str) -> list[float]:
    return [float(row.get(name) or "nan") for row in result.curves]


def dots(
    rows: Sequence[Mapping[str, Any]], label: str, zero: bool, points: Mapping[tuple[str, str], list[float]]
) -> Figure:
    """An estimate with its 95 % interval per line, one panel per score; `points` (score, label) lie behind, faintly.

    With `zero` the panels are of differences: the line of no difference is drawn.
    """
    scores = list(dict.fromkeys(row["score"] for row in rows))
    labels = list(dict.fromkeys(row[label] for row in rows))
    figure = new_figure(10, 1.1 + 0.34 * len(labels))
    panels = np.atleast_1d(figure.subplots(1, len(scores), sharey=True))
    for axes, score in zip(panels, scores, strict=True):
        for row in (row for row in rows if row["score"] == score):
            _dot(axes, labels.index(row[label]), row, points.get((score, row[label]), []))
        if zero:
            axes.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        better = "less is better" if score in LOWER_IS_BETTER else "more is better"
        axes.set(title=f"{score} ({better})", ylim=(len(labels) - 0.5, -0.5), yticks=range(len(labels)))
        axes.set_yticklabels(labels)
        axes.grid(axis="x", alpha=0.2, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure


def _dot(axes: Axes, y: int, row: Mapping[str, Any], points: Sequence[float]) -> None:
    axes.plot(points, [y] * len(points), "o", color=COLOURS[0], alpha=0.3, markersize=4)
    if not math.isnan(row["estimate"]):
        axes.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=2.2, solid_capstyle="round")
        axes.plot(row["estimate"], y, "o", color=COLOURS[0], markersize=7)


def profiles(results: Sequence[Result]) -> Figure:
    """The gradient norm of every module, in the order of execution, on a logarithmic scale.

    Few modules are named. Of deep arms, which differ in their modules, each lies at its share of its own arm's depth.
    """
    watched = [result for result in results if result.flow]
    modules = list(dict.fromkeys(name for result in watched for name in gradient_profile(result)))
    arms = list(dict.fromkeys(result.arm for result in watched))
    figure = new_figure(10, 4.2 + 0.22 * math.ceil(len(arms) / 3))
    axes = figure.subplots()
    for arm, (colour, dash) in colour_of(arms).items():
        for index, result in enumerate(result for result in watched if result.arm == arm):
            norms = gradient_profile(result)
            deep = len(modules) > NAMED
            places = [i / max(len(norms) - 1, 1) if deep else modules.index(name) for i, name in enumerate(norms)]
            axes.plot(places, list(norms.values()), dash, color=colour, linewidth=1.6, label=None if index else arm)
    axes.set(yscale="log", ylabel="gradient norm")
    if len(modules) > NAMED:
        axes.set(xlabel="place in the order of execution: 0 is the first module, 1 the head")
    else:
        axes.set_xticks(range(len(modules)), modules, rotation=60, ha="right", fontsize=8)
    axes.grid(alpha=0.2, color=INK)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def heatmaps(results: Sequence[Result]) -> Figure:
    """Gradient norm by module and step, one panel per arm (its first seed), one logarithmic scale for all."""
    first = list({result.arm: result for result in reversed(results) if result.flow}.values())[::-1]
    tables = [_flow_table(result) for result in first]
    values = np.concatenate([table[np.isfinite(table) & (table > 0)] for _, _, table in tables])
    scale = LogNorm(values.min(), max(values.max(), values.min() * 1.001))
    across = min(3, len(first))
    figure = new_figure(10, 0.6 + 3.0 * math.ceil(len(first) / across))
    panels = np.atleast_1d(figure.subplots(math.ceil(len(first) / across), across)).ravel()
    for axes in panels[len(first) :]:
        axes.axis("off")
    for axes, result, (modules, steps, table) in zip(panels, first, tables, strict=False):
        picture = axes.imshow(table, norm=scale, aspect="auto", interpolation="nearest", cmap="viridis")
        every = math.ceil(len(modules) / NAMED)
        axes.set(title=result.arm, xlabel="step", yticks=range(0, len(modules), every))
        axes.set_xticks([0, len(steps) - 1][: len(steps)], [steps[0], steps[-1]][: len(steps)])
        axes.set_yticklabels(modules[::every], fontsize=7)
    figure.colorbar(picture, ax=list(panels), label="gradient norm", shrink=0.8)
    return figure


def _flow_table(result: Result) -> tuple[list[str], list[int], np.ndarray]:
    """Modules with weights in order, steps, and (modules, steps) gradient norms, NaN where none was recorded."""
    order = {row["module"]: int(row["order"]) for row in result.flow if row["gradient_norm"]}
    modules = sorted(order, key=lambda name: (order[name], natural(name)))
    steps = sorted({int(row["step"]) for row in result.flow})
    table = np.full((len(modules), len(steps)), np.nan)
    for row in result.flow:
        if row["gradient_norm"]:
            table[modules.index(row["module"]), steps.index(int(row["step"]))] = float(row["gradient_norm"])
    return modules, steps, table
