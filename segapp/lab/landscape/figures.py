"""Draw loss landscapes from their numbers, several side by side on one scale."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from segapp.lab.landscape.numbers import Landscape, write_caption
from segapp.report.figures import COLOURS, INK, make_figure, save_png, use_style
from segapp.terminal.text import for_plot

CONTOURS, SURFACE, LINES = "contours.png", "surface.png", "lines.png"

LEVELS = 21
"""Contours, evenly spaced in the logarithm of the loss."""

TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
"""Losses that are labelled beside a surface, where they lie on its scale."""

MAX_SPAN = 1e3
"""The colours span three decades at most, from the least loss where that leaves a tenth of the planes beyond."""


def draw_all(landscapes: Sequence[Landscape], folder: Path) -> list[Path]:
    """Draw all figures that the numbers allow, and return their paths."""
    with use_style():
        figures = {LINES: draw_lines(landscapes)}
        if all(each.plane.size for each in landscapes):
            figures |= {CONTOURS: draw_contours(landscapes), SURFACE: draw_surfaces(landscapes)}
        for name, figure in figures.items():
            save_png(figure, folder / name)
    return [folder / name for name in figures]


def _write_captions(landscapes: Sequence[Landscape]) -> str:
    """Write one caption for all panels, or each panel's own where they are of different kinds."""
    captions = [write_caption(each) for each in landscapes]
    if len(set(captions)) == 1:
        return captions[0]
    named = [f"{for_plot(each.name)}: {caption}" for each, caption in zip(landscapes, captions, strict=True)]
    return "\n".join(["these differ in more than the network:", *named])


def _choose_scale(landscapes: Sequence[Landscape]) -> tuple[float, float]:
    """Return the smallest and the largest loss on any of the planes, limited to `MAX_SPAN`.

    Values beyond have the colours of the ends.

    Far from the centre losses grow without bound, and would leave nothing to be seen of it.
    """
    values = np.concatenate([each.plane[np.isfinite(each.plane)] for each in landscapes])
    values = values[values > 0]  # a loss of 0 has no logarithm
    if not values.size:
        return 1e-12, 1.001e-12
    low = max(float(values.min()), float(np.quantile(values, 0.9)) / MAX_SPAN)
    return low, max(min(float(values.max()), low * MAX_SPAN), low * 1.001)


def _arrange_panels(landscapes: Sequence[Landscape]) -> tuple[int, int]:
    """Arrange panels in rows and columns."""
    columns = min(len(landscapes), 3)
    return -(-len(landscapes) // columns), columns


def draw_contours(landscapes: Sequence[Landscape]) -> Figure:
    """Draw a panel for each landscape, on one scale of colours and levels."""
    scale, (rows, columns) = _choose_scale(landscapes), _arrange_panels(landscapes)
    figure = make_figure(max(4.2 * columns + 1, 5.6), 4.1 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, each in zip(grid, landscapes, strict=False):
        mesh = _draw_contour(axes, each, scale)
    for axes in grid[len(landscapes) :]:
        axes.remove()
    beyond = any((each.plane > scale[1]).any() for each in landscapes)
    bar = figure.colorbar(
        mesh, ax=list(grid[: len(landscapes)]), label="loss", shrink=0.9, extend="max" if beyond else "neither"
    )
    bar.ax.yaxis.set_major_formatter("{x:.3g}")
    figure.supxlabel(_write_captions(landscapes), fontsize=7.5)
    return figure


def _draw_contour(axes: Axes, each: Landscape, scale: tuple[float, float]) -> Any:
    shown = np.ma.masked_invalid(each.plane).clip(*scale)
    mesh = axes.pcolormesh(each.first, each.second, shown, norm=LogNorm(*scale), shading="gouraud", rasterized=True)
    levels = np.geomspace(*scale, LEVELS)
    drawn = axes.contour(each.first, each.second, shown, levels=levels, colors="white", linewidths=0.7)
    axes.clabel(drawn, np.asarray(drawn.levels)[::4], fmt="%.2g", fontsize=6)
    axes.plot(0, 0, "+", color="white", markersize=9)
    axes.set_title(for_plot(each.name), fontsize=10)
    axes.set_aspect("auto" if len(each.path) else "equal")
    if len(each.path):
        axes.plot(each.path[:, 0], each.path[:, 1], "o-", color=COLOURS[1], markersize=3, linewidth=1)
        one, two = each.settings["explained"]
        axes.set(xlabel=f"1st component ({one:.0%} of variance)", ylabel=f"2nd component ({two:.0%})")
    else:
        axes.set(xlabel="first direction", ylabel="second direction")
    return mesh


def draw_surfaces(landscapes: Sequence[Landscape]) -> Figure:
    """Draw the surfaces from the side, the height being the logarithm of the loss; one scale for all."""
    (rows, columns), (low, top) = _arrange_panels(landscapes), np.log10(_choose_scale(landscapes))
    figure = make_figure(max(4.4 * columns, 5.6), 4.2 * rows)
    ticks = [tick for tick in TICKS if low <= np.log10(tick) <= top]
    for index, each in enumerate(landscapes):
        axes: Any = figure.add_subplot(rows, columns, index + 1, projection="3d")
        height = np.log10(np.nan_to_num(each.plane, nan=np.inf).clip(10**low, 10**top))
        first, second = np.meshgrid(each.first, each.second)
        colours = colormaps["viridis"]((height - low) / (top - low))
        axes.plot_surface(first, second, height, facecolors=colours, rstride=1, cstride=1, linewidth=0, shade=False)
        axes.plot_wireframe(first, second, height, color=INK, linewidth=0.15, rstride=1, cstride=1)
        axes.set_zlim(low, top)
        axes.set_zticks(np.log10(ticks), [f"{tick:g}" for tick in ticks])
        axes.tick_params(labelsize=7)
        axes.set_title(for_plot(each.name), fontsize=10)
        axes.view_init(28, -55)
    figure.supxlabel(_write_captions(landscapes), fontsize=7.5)
    return figure


def draw_lines(landscapes: Sequence[Landscape]) -> Figure:
    """Draw the losses along every direction: the mean over directions, and each of them faintly."""
    figure = make_figure(7, 4)
    axes = figure.subplots()
    for index, each in enumerate(landscapes):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(each.t, each.lines.T, color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(each.t, each.lines.mean(0), color=colour, linewidth=2, label=for_plot(each.name))
    axes.axvspan(-0.5, 0.5, color=INK, alpha=0.05, linewidth=0)
    axes.set_yscale("log")
    axes.set(xlabel="distance along the direction, in lengths of the filters", ylabel="loss")
    axes.yaxis.set_major_formatter("{x:.3g}")
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter("{x:.3g}" if high < 30 * low else "")  # on a wider scale they would overlap
    axes.tick_params(axis="y", which="minor", labelsize=8)
    axes.grid(alpha=0.2, color=INK)
    axes.legend(fontsize=8)
    figure.supxlabel(_write_captions(landscapes), fontsize=7.5)
    return figure


def make_sharpness_row(landscape: Landscape) -> dict[str, Any]:
    """Make the row of a table that tells how sharp the minimum is, over the directions."""
    row: dict[str, Any] = {"loss": float(landscape.lines[:, len(landscape.t) // 2].mean())}
    for name in ("curvature", "rise"):
        values = [line[name] for line in landscape.settings["sharpness"]]
        row |= {name: float(np.mean(values)), f"{name}, least … largest": f"{min(values):.3g} … {max(values):.3g}"}
    if found := landscape.settings.get("eigenvalues"):
        row["largest eigenvalues"] = ", ".join(f"{value:.3g}" for value in found["largest"])
    return row
