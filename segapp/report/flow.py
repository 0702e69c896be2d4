"""Heatmaps of gradient flow, depth × step, in the manner of the weight-update figures of Drozdzal et al. 2016.

"The Importance of Skip Connections in Biomedical Image Segmentation", figures 4 to 6: what fades towards one end of the
network is where learning fades. Several runs are drawn on one scale, or their colours could not be compared.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure

from segapp.errors import MisuseError
from segapp.io import atomic_path
from segapp.report.flow_table import FlowTable, read_flow

MAPS = {
    "gradient_norm": ("Gradient norm, before clipping", "viridis"),
    "update_ratio": ("Update / weight", "inferno"),
    "dead_channels": ("Dead channels", "cividis"),
}

NORM = re.compile(r"(^|\.)(norm|bn|ln)\d*$")
"""How norm layers are called, here and in timm: their weights are few and 1, so their norms are not the others'."""


def draw_run(table: Path, picture: Path) -> None:
    """One run's `gradient_flow.csv` as a picture; raises SegappError for a file that is no such table."""
    draw_runs({table.parent.name: table}, picture)


def draw_runs(tables: Mapping[str, Path], picture: Path) -> None:
    """Several runs under each other, every column on one scale, and their gradient profiles over depth in one graph.

    Args:
        tables: Label → `gradient_flow.csv`.
        picture: PNG, PDF or SVG to write.

    Raises:
        SegappError: no table, or a file that is none.
    """
    if not tables:
        raise MisuseError("draw_runs needs at least one gradient_flow.csv, got none.")
    flows = {label: read_flow(path) for label, path in tables.items()}
    tall = [max(2.4, 0.13 * len(flow.with_weights().modules)) for flow in flows.values()]
    figure = Figure(figsize=(15, sum(tall) + 3.6), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[sum(tall), 3.4])
    grid = parts[0].subplots(len(flows), len(MAPS), squeeze=False, height_ratios=tall)
    for column, name in enumerate(MAPS):
        _column(grid[:, column], flows, name)
    for row, (label, flow) in enumerate(flows.items()):
        _name_modules(grid[row], label, flow)
    _profiles(parts[1], flows)
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, dpi=110)


def _column(axes: Sequence[Any], flows: Mapping[str, FlowTable], name: str) -> None:
    """One quantity of all runs on one scale."""
    title, colours = MAPS[name]
    grids = [flow.with_weights().values[name] for flow in flows.values()]
    scale = Normalize(0, 1) if name == "dead_channels" else log_scale(grids)
    colour_map = with_grey(colours)
    for axis, flow, grid in zip(axes, flows.values(), grids, strict=True):
        values = np.where(np.isfinite(grid) & ((grid > 0) | (name == "dead_channels")), grid, np.nan)
        axis.imshow(values, aspect="auto", norm=scale, cmap=colour_map, interpolation="nearest")
        places = np.unique(np.linspace(0, len(flow.steps) - 1, 6).round().astype(int))
        axis.set_xticks(places, [str(flow.steps[place]) for place in places], fontsize=8)
        axis.set_yticks([])
    axes[0].set_title(title, fontsize=10)
    axes[-1].set_xlabel("optimiser step")
    axes[0].figure.colorbar(ScalarMappable(scale, colour_map), ax=list(axes), pad=0.01, aspect=40)


def log_scale(grids: Sequence[np.ndarray]) -> LogNorm:
    """One logarithmic scale over all positive, finite values; at least a factor of ten wide."""
    values = np.concatenate([grid[np.isfinite(grid) & (grid > 0)] for grid in grids])
    low, high = (values.min(), values.max()) if len(values) else (0.1, 1.0)
    return LogNorm(min(low, high / 10), high)


def with_grey(name: str) -> Colormap:
    """The colour map, grey where there is no value: a step that was skipped, a gradient of exactly 0."""
    return colormaps[name].with_extremes(bad="0.8")


def _name_modules(row: Sequence[Any], label: str, flow: FlowTable) -> None:
    modules = flow.with_weights().modules
    every = 1 + len(modules) // 60
    places = range(0, len(modules), every)
    row[0].set_yticks(places, [modules[place] for place in places], fontsize=6)
    row[0].set_ylabel(f"{label}\n(first at the top)", fontsize=9)


def _profiles(part: Any, flows: Mapping[str, FlowTable]) -> None:
    """The median over the steps in thick, the first measured step in thin, over depth; norm layers apart."""
    axes = part.subplots(1, 2, sharex=True)
    for axis, name in zip(axes, ("gradient_norm", "update_ratio"), strict=True):
        for index, (label, flow) in enumerate(flows.items()):
            table = flow.with_weights()
            depth = np.array([place for place, module in enumerate(table.modules) if not NORM.search(module)])
            grid = table.values[name][depth]
            colour = f"C{index % 10}"
            axis.plot(depth, _positive(median(grid)), colour, linewidth=2, label=f"{label}, median of the steps")
            axis.plot(depth, _positive(grid[:, 0]), colour, linewidth=0.8, label=f"{label}, step {flow.steps[0]}")
        axis.set(title=f"{MAPS[name][0]}, over depth", xlabel="position in the forward pass", yscale="log")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)


def median(grid: np.ndarray) -> np.ndarray:
    """(rows,): each row's median over its finite values; NaN where it has none."""
    finite = [row[np.isfinite(row)] for row in grid]
    return np.array([np.median(row) if len(row) else np.nan for row in finite])


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
