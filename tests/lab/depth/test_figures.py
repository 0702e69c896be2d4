"""Figures of gradients over depth, from rows written by hand."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.lab.depth.figures import COLUMNS, FIGURES, collect_curves, fit_slope, fit_slopes, read_profiles
from segapp.report.figures import use_style

FACTORS = {"none": 0.5, "add": 1.0}
"""What a block multiplies the gradient by, on its way to the image, by its short skip."""


def make_rows(depths=(2, 6), seeds=2):
    """Chains and U-Nets of two kinds of block, whose gradients are powers of `FACTORS`, twice as large with seed 1."""
    rows = []
    for short, factor in FACTORS.items():
        for seed in range(seeds):
            for depth in depths:
                for position in range(depth):
                    gradient = factor ** (depth - 1 - position)
                    kind = ["chain", "he", "relu", depth, short, "none", "none", seed]
                    rows.append([*kind, position, f"blocks.{position}", (1 + seed) * gradient, 1.0, gradient])
            for position, block in enumerate(("encoder.0.block", "bottleneck.block", "decoder.0.block")):
                kind = ["unet", "he", "relu", 2, short, "add", "none", seed]
                rows.append([*kind, position, block, factor**position, 1.0, ""])
    return [dict(zip(COLUMNS, map(str, row), strict=True)) for row in rows]


def write_table(path: Path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_that_was_cut_off_is_left_out(tmp_path):
    rows = make_rows()
    path = write_table(tmp_path / "profiles.csv", rows)
    assert read_profiles(path) == rows
    path.write_bytes(path.read_bytes()[:-5])
    assert read_profiles(path) == rows[:-1]


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", ",".join(COLUMNS) + "\n"])
def test_a_table_without_profiles_is_refused_with_its_file(tmp_path, content):
    if content is not None:
        (tmp_path / "profiles.csv").write_text(content)
    with pytest.raises(MisuseError, match=r"profiles\.csv"):
        read_profiles(tmp_path / "profiles.csv")


def test_a_slope_is_the_logarithm_of_the_factor_towards_the_input():
    assert fit_slope(np.array([0.25, 0.5, 1.0])) == pytest.approx(math.log(0.5))
    assert fit_slope(np.array([4.0, np.nan, 1.0])) == pytest.approx(math.log(2))
    assert math.isnan(fit_slope(np.array([0.0, 1.0])))  # a gradient that is gone has no logarithm


def test_slopes_are_of_chains_over_their_seeds():
    table = fit_slopes(make_rows())
    assert [(row["short"], row["depth"]) for row in table] == [("none", "2"), ("none", "6"), ("add", "2"), ("add", "6")]
    assert float(table[1]["slope"]) == float(table[1]["expected"]) == pytest.approx(math.log(0.5), abs=1e-4)
    assert float(table[1]["factor_per_block"]) == pytest.approx(0.5, abs=1e-4)
    assert float(table[3]["slope"]) == pytest.approx(0)


def test_curves_are_seeds_by_blocks_and_empty_cells_no_numbers():
    rows = make_rows()
    found = collect_curves(rows, "rms_gradient")[("chain", "he", "relu", "6", "none", "none", "none")]
    assert found.shape == (2, 6) and found[1].tolist() == (2 * found[0]).tolist()
    unets = [row for row in rows if row["net"] == "unet"]
    assert all(np.isnan(values).all() for values in collect_curves(unets, "expected").values())


def draw(name):
    with use_style():
        return FIGURES[name](make_rows())


def test_profiles_are_over_the_last_block_of_the_deepest_chains():
    none, add = draw("profiles").axes
    measured = none.lines[0]
    assert measured.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert measured.get_ydata() == pytest.approx([0.5**power for power in range(5, -1, -1)])
    assert add.lines[0].get_ydata() == pytest.approx([1] * 6)


def test_depths_show_what_arrives_at_the_first_block():
    none, _ = draw("depths").axes
    assert none.lines[0].get_xdata().tolist() == [2, 6]
    assert none.lines[0].get_ydata() == pytest.approx([0.5, 0.5**5])


def test_slopes_are_drawn_of_chains_of_five_blocks_or_more():
    (axes,) = draw("slopes").axes
    points = [point for part in axes.collections for point in part.get_offsets().tolist()]
    assert points[0] == pytest.approx([math.log(0.5)] * 2, abs=1e-4)
    assert points[1] == pytest.approx([0, 0]) and len(points) == 2


def test_a_unet_is_drawn_in_the_order_of_execution_with_its_bottleneck_shaded():
    none, _ = draw("unet").axes
    assert none.lines[0].get_ydata() == pytest.approx([1, 0.5, 0.25])
    assert [label.get_text() for label in none.get_xticklabels()] == ["encoder.0", "bottleneck", "decoder.0"]
    (shade,) = none.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (0.5, 1.5)
