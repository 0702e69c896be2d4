"""Loss landscapes drawn from their numbers: several side by side are drawn on one scale."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from segapp.errors import MisuseError
from segapp.report.figures import COLOURS, INK, make_figure, save_png, use_style
from segapp.system.regular_files import describe_irregular
from segapp.system.text_files import read_json
from segapp.terminal.text import for_plot

NUMBERS, SETTINGS = "landscape.npz", "landscape.json"
CONTOURS, SURFACE, LINES = "contours.png", "surface.png", "lines.png"

AXES = ("t", "lines", "first", "second", "plane", "path")
"""The arrays of landscape.npz that are drawn."""

LARGEST = 2**28
"""Bytes that landscape.npz may expand to: a plane of 5,000 x 5,000 points."""

LEVELS = 21
"""Contours, evenly spaced in the logarithm of the loss."""

TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
"""Losses that are written beside a surface, where they lie on its scale."""

SPAN = 1e3
"""The colours span three decades at most, from the least loss where that leaves a tenth of the planes beyond."""


class UnfinishedError(MisuseError):
    """A landscape of which the command that began it has points left to compute."""


@dataclass(frozen=True)
class Landscape:
    """The numbers of one.

    Attributes:
        name: What its panel is called.
        settings: landscape.json.
        t: Positions on the lines (T,), and their losses `lines` (S, T).
        first: Positions on the plane's axes (A,), and `second` (B,); losses `plane` (B, A). Empty without a plane.
        path: Where training's checkpoints lie in the plane (M, 2), or (0, 2).
    """

    name: str
    settings: dict[str, Any]
    t: np.ndarray
    lines: np.ndarray
    first: np.ndarray
    second: np.ndarray
    plane: np.ndarray
    path: np.ndarray


def read_landscape(folder: Path, name: str | None = None) -> Landscape:
    """Read what `segapp landscape` wrote into a folder; raise MisuseError for a missing or an unfinished one."""
    try:
        settings, numbers = read_json(folder / SETTINGS), read_numbers(folder / NUMBERS)
        parts = {key: numbers[key].astype(float, casting="same_kind") for key in AXES}
        if not numbers["done"].all() or "sharpness" not in settings:
            raise UnfinishedError(f"{folder}: its landscape is not finished; run the command that started it again.")
        checkpoint = str(settings["checkpoint"])
        _require_shapes(**parts)
        landscape = Landscape(name or _shorten_path(checkpoint), settings, **parts)
        _require_facts(landscape)
    except UnfinishedError:
        raise
    except (MisuseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MisuseError(f"{folder}: holds no landscape of `segapp landscape`, or a damaged one ({error}).") from error
    return landscape


def _require_facts(landscape: Landscape) -> None:
    """Raise ValueError, KeyError or TypeError where a figure would not find what it says of the landscape."""
    write_caption(landscape)
    for line in landscape.settings.get("sharpness", []):
        for value in line.values():
            float(value)
    if landscape.path.size:
        explained = [float(value) for value in landscape.settings["explained"]]
        if len(explained) != 2:
            raise ValueError("its plane is not explained by two numbers")


def read_numbers(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a landscape.npz; raises MisuseError for what is none, or would take too much memory."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: {kind}, no numbers of a landscape.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise MisuseError(f"{path}: would take {size:,} bytes of memory; a landscape has at most {LARGEST:,}.")
        with np.load(path) as numbers:
            return {key: numbers[key] for key in numbers.files}
    except (OSError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise MisuseError(f"{path}: holds no numbers of a landscape ({error}).") from error


def _require_shapes(
    t: np.ndarray, lines: np.ndarray, first: np.ndarray, second: np.ndarray, plane: np.ndarray, path: np.ndarray
) -> None:
    """Raise ValueError unless the arrays are as long as each other asks."""
    fits = lines.ndim == 2 and lines.shape[1:] == t.shape and path.ndim == 2 and path.shape[1] == 2
    if not fits or plane.shape != (*second.shape, *first.shape):
        raise ValueError("its arrays do not fit together")


def _shorten_path(checkpoint: str) -> str:
    """Shorten `runs/deep/20260101-120000/checkpoints/best.ckpt` to `deep/20260101-120000`."""
    parts = Path(checkpoint).parts
    return "/".join(parts[-4:-2]) if parts[-2:-1] == ("checkpoints",) and len(parts) > 2 else Path(checkpoint).stem


def draw_all(landscapes: Sequence[Landscape], folder: Path) -> list[Path]:
    """Draw what there is to draw; returns the pictures."""
    with use_style():
        pictures = {LINES: draw_lines(landscapes)}
        if all(each.plane.size for each in landscapes):
            pictures |= {CONTOURS: draw_contours(landscapes), SURFACE: draw_surfaces(landscapes)}
        for name, figure in pictures.items():
            save_png(figure, folder / name)
    return [folder / name for name in pictures]


def write_caption(landscape: Landscape) -> str:
    """Write what a reader must know about the numbers."""
    of = landscape.settings
    height, width = of["size"]
    how = {"frozen": "frozen", "recalibrated": "counted anew at every point", "none": "none in the network"}
    loss = for_plot(of["loss"].rpartition(".")[2])
    return (
        f"{loss} over {of['samples']} samples of {height} × {width} ({for_plot(of['split'])}, not "
        f"augmented); batch-norm statistics: {how[of['statistics']]}"
    )


def _write_captions(landscapes: Sequence[Landscape]) -> str:
    """Write one caption for all panels, or each panel's own where they are of different kinds."""
    of_each = [write_caption(each) for each in landscapes]
    if len(set(of_each)) == 1:
        return of_each[0]
    named = [f"{for_plot(each.name)}: {said}" for each, said in zip(landscapes, of_each, strict=True)]
    return "\n".join(["these differ in more than the network:", *named])


def _scale(landscapes: Sequence[Landscape]) -> tuple[float, float]:
    """Return the smallest and the largest loss on any of the planes, limited to `SPAN`.

    Values beyond have the colours of the ends.

    Far from the centre losses grow without bound, and would leave nothing to be seen of it.
    """
    values = np.concatenate([each.plane[np.isfinite(each.plane)] for each in landscapes])
    values = values[values > 0]  # a loss of 0 has no logarithm
    if not values.size:
        return 1e-12, 1.001e-12
    low = max(float(values.min()), float(np.quantile(values, 0.9)) / SPAN)
    return low, max(min(float(values.max()), low * SPAN), low * 1.001)


def _arrange_panels(landscapes: Sequence[Landscape]) -> tuple[int, int]:
    """Arrange panels in rows and columns."""
    columns = min(len(landscapes), 3)
    return -(-len(landscapes) // columns), columns


def draw_contours(landscapes: Sequence[Landscape]) -> Figure:
    """Draw a panel for each landscape, on one scale of colours and levels."""
    scale, (rows, columns) = _scale(landscapes), _arrange_panels(landscapes)
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
    """Seen from the side, the height being the logarithm of the loss; one scale for all."""
    (rows, columns), (low, top) = _arrange_panels(landscapes), np.log10(_scale(landscapes))
    figure = make_figure(max(4.4 * columns, 5.6), 4.2 * rows)
    ticks = [tick for tick in TICKS if low <= np.log10(tick) <= top]
    for place, each in enumerate(landscapes):
        axes: Any = figure.add_subplot(rows, columns, place + 1, projection="3d")
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
    for place, each in enumerate(landscapes):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(each.t, each.lines.T, color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(each.t, each.lines.mean(0), color=colour, linewidth=2, label=for_plot(each.name))
    axes.axvspan(-0.5, 0.5, color=INK, alpha=0.05, linewidth=0)
    axes.set_yscale("log")
    axes.set(xlabel="distance along the direction, in lengths of the filters", ylabel="loss")
    axes.yaxis.set_major_formatter("{x:.3g}")
    low, high = axes.get_ylim()
    axes.yaxis.set_minor_formatter("{x:.3g}" if high < 30 * low else "")  # over more they would cover each other
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
