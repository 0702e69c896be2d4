"""Draw gradient flow as heatmaps, depth × step, like the weight-update figures of Drozdzal et al. 2016.

"The Importance of Skip Connections in Biomedical Image Segmentation", figures 4 to 6: where colours fade towards one
end of the network, learning fades. Panels that are compared have one scale.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.report.figures import INK, choose_colours, make_figure, use_style, wrap_label
from segapp.report.gradient_flow_table import FlowTable, compute_median, read_flow
from segapp.terminal.text import for_plot

MAPS = {
    "gradient_norm": ("Gradient norm, before clipping", "viridis"),
    "update_ratio": ("Update / weight", "inferno"),
    "dead_channels": ("Dead channels", "cividis"),
}

NORM = re.compile(r"(^|\.)(norm|bn|ln)\d*$")
"""Names of norm layers, here and in timm: their weights are few and 1, so their norms differ from the others'."""


def draw_run(table: Path, path: Path) -> None:
    """Draw the `gradient_flow.csv` of one run; raise SegappError for a file that is not such a table."""
    draw_runs({table.parent.name: table}, path)


def draw_runs(tables: Mapping[str, Path], path: Path) -> None:
    """Draw several runs under each other, every column on one scale, and their profiles over depth.

    Args:
        tables: Label → `gradient_flow.csv`.
        path: PNG, PDF or SVG to write.

    Raises:
        SegappError: no table, or a file that is none.
    """
    if not tables:
        raise MisuseError("draw_runs needs at least one gradient_flow.csv, got none.")
    flows = {label: read_flow(path).select_weighted() for label, path in tables.items()}
    tall = [max(2.4, 0.13 * len(flow.modules)) for flow in flows.values()]
    with use_style():
        figure = make_figure(15, sum(tall) + 3.6)
        parts: Any = figure.subfigures(2, 1, height_ratios=[sum(tall), 3.4])
        grid = parts[0].subplots(len(flows), len(MAPS), squeeze=False, height_ratios=tall)
        for column, name in zip(grid.T, MAPS, strict=True):
            _draw_heatmaps(list(column), list(flows.values()), name)
            column[0].set_title(MAPS[name][0])
            column[-1].set_xlabel("optimiser step")
        for row, (label, flow) in zip(grid, flows.items(), strict=True):
            _name_modules(row[0], flow, most=60)
            row[0].set_ylabel(f"{for_plot(label)}\n(first at the top)")
        _draw_profiles(parts[1], {label: [flow] for label, flow in flows.items()})
        with write_atomically(path) as temporary:
            figure.savefig(temporary, dpi=110, facecolor="white")


def draw_heatmaps(flows: Mapping[str, FlowTable], name: str) -> Figure:
    """Draw one quantity of many runs, a panel for each, at most four side by side, on one scale.

    Without norm layers.
    """
    shown = {label: drop_norms(flow) for label, flow in flows.items()}
    rows = math.ceil(len(shown) / 4)
    figure = make_figure(10, 0.5 + 2.8 * rows)
    grid = figure.subplots(rows, math.ceil(len(shown) / rows), squeeze=False)
    panels = grid.ravel()
    _draw_heatmaps(list(panels[: len(shown)]), list(shown.values()), name)
    for axes, (label, flow) in zip(panels, shown.items(), strict=False):
        axes.set_title(wrap_label(label), fontsize=9)
        _name_modules(axes, flow, most=16)
    for row in grid:
        _hide_repeated_labels(row)
    for axes in grid[-1]:
        axes.set_xlabel("optimiser step", fontsize=9)
    for axes in panels[len(shown) :]:
        axes.axis("off")
    return figure


def draw_profiles(flows: Mapping[str, Sequence[FlowTable]]) -> Figure:
    """Draw gradient norms and updates over depth: runs of one label share its colour."""
    figure = make_figure(10, 3.6 + 0.22 * math.ceil(len(flows) / 3))
    _draw_profiles(figure, flows)
    return figure


def _draw_heatmaps(panels: Sequence[Axes], flows: Sequence[FlowTable], name: str) -> None:
    """Draw one quantity of all runs on one scale, with its colour bar."""
    grids = [flow.values[name] for flow in flows]
    scale = Normalize(0, 1) if name == "dead_channels" else make_log_scale(grids)
    colour_map = make_colour_map(MAPS[name][1])
    for axes, flow, grid in zip(panels, flows, grids, strict=True):
        values = np.where(np.isfinite(grid) & ((grid > 0) | (name == "dead_channels")), grid, np.nan)
        axes.imshow(values, aspect="auto", norm=scale, cmap=colour_map, interpolation="nearest")
        ticks = np.unique(np.linspace(0, len(flow.steps) - 1, 4).round().astype(int))
        axes.set_xticks(ticks, [str(flow.steps[index]) for index in ticks], fontsize=8)
        axes.set_yticks([])
    bar = panels[0].figure.colorbar(ScalarMappable(scale, colour_map), ax=list(panels), pad=0.01, aspect=40)
    bar.set_label(MAPS[name][0])


def make_log_scale(grids: Sequence[np.ndarray]) -> LogNorm:
    """Return one logarithmic scale over all positive, finite values, at least a factor of ten wide."""
    values = np.concatenate([grid[np.isfinite(grid) & (grid > 0)] for grid in grids])
    low, high = (values.min(), values.max()) if len(values) else (0.1, 1.0)
    return LogNorm(min(low, high / 10), high)


def make_colour_map(name: str) -> Colormap:
    """Return the colour map, with grey where there is no value: a step that was skipped, a gradient of exactly 0."""
    return colormaps[name].with_extremes(bad="0.8")


def _name_modules(axes: Axes, flow: FlowTable, most: int) -> None:
    """Name all modules if there is room; otherwise the first module of each part, as `encoder.0`."""
    names = dict(enumerate(flow.modules))
    if len(names) > most:
        parts = {index: ".".join(module.split(".")[:2]) for index, module in names.items()}
        names = {index: part for index, part in parts.items() if part != parts.get(index - 1)}
    shown: list[int] = []
    for index in names:
        if not shown or (index - shown[-1]) * 1.5 * most >= len(flow.modules):
            shown.append(index)
    axes.set_yticks(shown, [for_plot(names[index]) for index in shown], fontsize=6)


def _hide_repeated_labels(row: Iterable[Axes]) -> None:
    """Hide the labels that the panel to the left has too."""
    before = None
    for axes in row:
        here = [(tick, label.get_text()) for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)]
        if here == before:
            axes.set_yticklabels([])
        before = here


def _draw_profiles(part: Any, flows: Mapping[str, Sequence[FlowTable]]) -> None:
    """Draw the median over the steps, one line per run, without norm layers.

    Networks of different depth are drawn over the fraction of their depth.
    """
    shown = {label: [drop_norms(flow) for flow in runs] for label, runs in flows.items()}
    depths = {len(flow.modules) for runs in shown.values() for flow in runs}
    panels = part.subplots(1, 2)
    for axes, name in zip(panels, ("gradient_norm", "update_ratio"), strict=True):
        for label, (colour, dash) in choose_colours(list(flows)).items():
            for index, flow in enumerate(shown[label]):
                values = compute_median(flow.values[name])
                x = np.arange(len(values)) / (max(len(values) - 1, 1) if len(depths) > 1 else 1)
                named = {} if index else {"label": for_plot(label)}
                drawn = np.where((values > 0) & np.isfinite(values), values, np.nan)
                axes.plot(x, drawn, dash, color=colour, linewidth=1.6, **named)
        axes.set(title=MAPS[name][0], yscale="log")
        axes.set_xlabel("fraction of the depth: 0 sees the image" if len(depths) > 1 else "layer, from the image on")
        axes.grid(alpha=0.2, color=INK)
    part.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)


def drop_norms(flow: FlowTable) -> FlowTable:
    """Drop norm layers and submodules without weights."""
    weighted = flow.select_weighted()
    return weighted.select([not NORM.search(module) for module in weighted.modules])
