"""Draw figures of gradients over depth from `profiles.csv`."""

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from segapp.errors import MisuseError
from segapp.report.figures import COLOURS as PALETTE
from segapp.report.figures import INK, make_figure
from segapp.system.text_files import read_text

COLUMNS = (
    *("net", "init", "activation", "depth", "short", "long", "norm", "seed"),
    *("position", "block", "rms_gradient", "rms_output", "expected"),
)
VARIANT_KEYS = COLUMNS[:7]
"""Columns that identify a network, except for the seed."""

COLOURS = dict(zip(("default", "he", "xavier"), PALETTE, strict=False))
COLOURS |= dict(zip(("none", "add", "concat"), PALETTE, strict=False))
NAMES = {"default": "PyTorch default", "he": "He", "xavier": "Xavier"}
SHORT = {"none": "no short skip", "add": "short skip: add", "concat": "short skip: concat"}
NORMS = {"none": "no norm", "batch": "batch norm"}

SLOPE = ("slope", "smallest", "largest", "expected", "factor_per_block")

DepthRow = dict[str, str]
Curves = dict[tuple[str, ...], np.ndarray]


def read_profiles(path: Path) -> list[DepthRow]:
    """Read the complete rows of a table; raise MisuseError for a missing file or one without rows."""
    text = read_text(path) if path.is_file() else ""
    rows = [row for row in csv.reader(text[: text.rfind("\n") + 1].splitlines()) if len(row) == len(COLUMNS)]
    if len(rows) < 2 or tuple(rows[0]) != COLUMNS:
        raise MisuseError(f"{path}: holds no profiles; measure them first: segapp depth --config FILE --output FOLDER")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def collect_curves(rows: Sequence[DepthRow], column: str) -> Curves:
    """Collect one column as (net, …, norm) → (seeds, blocks) float64; NaN where a cell is empty."""
    found: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[tuple(row[name] for name in VARIANT_KEYS)][row["seed"]].append(float(row[column] or "nan"))
    return {variant: np.array(list(seeds.values())) for variant, seeds in found.items()}


def fit_slope(profile: np.ndarray) -> float:
    """Fit the growth of the natural logarithm per block towards the input by least squares; NaN without any."""
    usable = np.isfinite(profile) & (profile > 0)
    if usable.sum() < 2:
        return math.nan
    return -float(np.polyfit(np.flatnonzero(usable), np.log(profile[usable]), 1)[0])


def fit_slopes(rows: Sequence[DepthRow]) -> list[dict[str, Any]]:
    """Fit the measured slope of every chain.

    Each has the mean, smallest and largest over the seeds, and the expected slope beside them.
    """
    measured, expected = collect_curves(rows, "rms_gradient"), collect_curves(rows, "expected")
    table = []
    for variant, profiles in measured.items():
        if variant[0] != "chain":
            continue
        each = [fit_slope(profile) for profile in profiles]
        wanted = float(np.mean([fit_slope(profile) for profile in expected[variant]]))
        mean = float(np.mean(each))
        values = dict(zip(SLOPE, (mean, min(each), max(each), wanted, math.exp(mean)), strict=True))
        table.append(
            {
                **dict(zip(VARIANT_KEYS, variant, strict=True)),
                **{name: f"{value:.4f}" for name, value in values.items()},
            }
        )
    return table


def _draw_grid(
    rows: Sequence[DepthRow], plot: Callable[[Any, Sequence[DepthRow]], None], title: str, label: str
) -> Figure:
    """Draw a panel per activation and norm (rows) and short skip (columns); each row has one scale."""
    kinds = list(dict.fromkeys((row["activation"], row["norm"]) for row in rows))
    shorts = list(dict.fromkeys(row["short"] for row in rows))
    figure = make_figure(3.4 * len(shorts) + 0.6, 2.5 * len(kinds) + 0.9)
    grid = figure.subplots(len(kinds), len(shorts), squeeze=False, sharex=True, sharey="row")
    for line, (activation, norm) in zip(grid, kinds, strict=True):
        for axes, short in zip(line, shorts, strict=True):
            chosen = {"activation": activation, "norm": norm, "short": short}
            plot(axes, [row for row in rows if all(row[name] == value for name, value in chosen.items())])
            axes.set_title(f"{activation}, {NORMS[norm]}, {SHORT[short]}", fontsize=9)
            axes.set_yscale("log")
            axes.axhline(1, color="0.6", linewidth=0.8)
            axes.grid(alpha=0.2, color=INK)
        line[0].set_ylabel("RMS gradient\n/ that of the last block")
    for axes in grid[-1]:
        axes.set_xlabel(label)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _divide_by_last(profiles: np.ndarray) -> np.ndarray:
    """Divide each seed's profile by the value of its last block."""
    return profiles / profiles[:, -1:]


def _average_geometrically(values: np.ndarray) -> np.ndarray:
    """Return the geometric mean over the seeds; 0 where a gradient is 0."""
    return np.exp(np.log(np.where(values > 0, values, np.nan)).mean(0))


def _draw_profiles(rows: Sequence[DepthRow]) -> Figure:
    chains = [row for row in rows if row["net"] == "chain"]
    deepest = max(int(row["depth"]) for row in chains)

    def plot(axes: Any, part: Sequence[DepthRow]) -> None:
        expected = collect_curves(part, "expected")
        for variant, profiles in collect_curves(part, "rms_gradient").items():
            values, positions = _divide_by_last(profiles), np.arange(1, profiles.shape[1] + 1)
            colour = COLOURS[variant[1]]
            axes.plot(positions, _average_geometrically(values), colour, label=f"{NAMES[variant[1]]}, measured")
            axes.fill_between(positions, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
            axes.plot(
                positions,
                _average_geometrically(expected[variant]),
                colour,
                linestyle="--",
                label=f"{NAMES[variant[1]]}, expected",
            )

    part = [row for row in chains if int(row["depth"]) == deepest]
    return _draw_grid(
        part, plot, f"Gradient at every block's output, {deepest} blocks in a row", "block (1 sees the image)"
    )


def _draw_depths(rows: Sequence[DepthRow]) -> Figure:
    def plot(axes: Any, part: Sequence[DepthRow]) -> None:
        for init in dict.fromkeys(row["init"] for row in part):
            own = collect_curves([row for row in part if row["init"] == init], "rms_gradient")
            points = sorted(
                (int(variant[3]), *_measure_spread(_divide_by_last(profiles)[:, 0]))
                for variant, profiles in own.items()
            )
            depth, middle, low, high = np.array(points).T
            axes.plot(depth, middle, COLOURS[init], marker="o", markersize=3, label=NAMES[init])
            axes.fill_between(depth, low, high, color=COLOURS[init], alpha=0.2, linewidth=0)

    chains = [row for row in rows if row["net"] == "chain"]
    return _draw_grid(chains, plot, "What arrives at the first block of ever deeper chains", "blocks in the chain")


def _measure_spread(values: np.ndarray) -> tuple[float, float, float]:
    return float(_average_geometrically(values[:, None])[0]), float(values.min()), float(values.max())


def _draw_slopes(rows: Sequence[DepthRow]) -> Figure:
    """Draw measured against expected slopes of all chains that are deep enough to have one."""
    figure = make_figure(9, 5.4)
    axes = figure.subplots()
    table = [row for row in fit_slopes(rows) if int(row["depth"]) >= 5] or fit_slopes(rows)
    for short in dict.fromkeys(row["short"] for row in table):
        for norm, marker in (("none", "o"), ("batch", "^")):
            part = [row for row in table if (row["short"], row["norm"]) == (short, norm)]
            x, y = ([float(row[name]) for row in part] for name in ("expected", "slope"))
            axes.scatter(
                x, y, s=26, color=COLOURS[short], marker=marker, alpha=0.7, label=f"{SHORT[short]}, {NORMS[norm]}"
            )
    ends = axes.get_xlim()
    axes.plot(ends, ends, color="0.5", linewidth=1, zorder=0)
    axes.set(xlabel="expected slope", ylabel="measured slope", title="d ln RMS gradient per block, towards the input")
    axes.grid(alpha=0.2, color=INK)
    axes.legend(fontsize=8)
    return figure


def _draw_unets(rows: Sequence[DepthRow]) -> Figure:
    """Draw the complete profile of every U-Net, the bottleneck shaded.

    A row per norm and init, a column per short skip.
    """
    nets = [row for row in rows if row["net"] == "unet"]
    kinds = list(dict.fromkeys((row["norm"], row["init"]) for row in nets))
    shorts = list(dict.fromkeys(row["short"] for row in nets))
    figure = make_figure(3.6 * len(shorts) + 0.6, 2.4 * len(kinds) + 1.6)
    grid = figure.subplots(len(kinds), len(shorts), squeeze=False, sharex=True, sharey="row")
    for line, (norm, init) in zip(grid, kinds, strict=True):
        for axes, short in zip(line, shorts, strict=True):
            chosen = {"norm": norm, "init": init, "short": short}
            _draw_unet(axes, [row for row in nets if all(row[name] == value for name, value in chosen.items())])
            axes.set_title(f"{NAMES[init]}, {NORMS[norm]}, {SHORT[short]}", fontsize=9)
        line[0].set_ylabel("RMS gradient")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle("Gradient at every block's output of a U-Net (the bottleneck is shaded)", fontsize=11)
    return figure


def _draw_unet(axes: Any, rows: Sequence[DepthRow]) -> None:
    names = [row["block"] for row in rows if (row["long"], row["seed"]) == (rows[0]["long"], rows[0]["seed"])]
    for variant, profiles in collect_curves(rows, "rms_gradient").items():
        axes.plot(
            _average_geometrically(profiles),
            COLOURS[variant[5]],
            marker="o",
            markersize=3,
            label=f"long skip: {variant[5]}",
        )
        axes.fill_between(
            range(len(names)), profiles.min(0), profiles.max(0), color=COLOURS[variant[5]], alpha=0.2, linewidth=0
        )
    deepest = [positions for positions, name in enumerate(names) if name.startswith("bottleneck")]
    axes.axvspan(deepest[0] - 0.5, deepest[-1] + 0.5, color="0.5", alpha=0.2, zorder=0, linewidth=0)
    axes.set_xticks(range(len(names)), [name.replace(".block", "") for name in names], rotation=90, fontsize=6)
    axes.set_yscale("log")
    axes.grid(alpha=0.2, color=INK)


FIGURES = {"profiles": _draw_profiles, "depths": _draw_depths, "slopes": _draw_slopes, "unet": _draw_unets}
"""Name → function that draws the figure from the rows."""
