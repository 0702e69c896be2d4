"""Heatmaps: one scale for all runs, grey where there is no value."""

import math
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.lab.gradient_flow.figures import NORM, draw_heatmaps, draw_profiles, draw_run, draw_runs, make_log_scale
from segapp.report.gradient_flow_table import append_rows, compute_median, read_flow, start_table


def table(path, scale: float, modules: int = 3):
    start_table(path, 0)
    for number in (1, 5, 10):
        rows = [[0, number, m, f"m.{m}", scale * 10.0**-m, 1.0, 1.0, 1e-3, 0.0, 0.0, 1.0, 0] for m in range(modules)]
        append_rows(path, rows)
    return path


def test_the_scale_spans_all_runs_and_leaves_out_what_has_no_logarithm():
    scale = make_log_scale([np.array([[1e-3, 0.0, np.nan]]), np.array([[5.0, np.inf, 2.0]])])
    assert (scale.vmin, scale.vmax) == (1e-3, 5.0)
    assert make_log_scale([np.array([[2.0]])]).vmin == pytest.approx(0.2)
    assert make_log_scale([np.array([[np.nan]])]).vmax == 1


def test_medians_skip_what_is_not_finite():
    assert compute_median(np.array([[1.0, 3.0, np.nan], [np.inf, 2.0, 2.0]])).tolist() == [2, 2]
    assert np.isnan(compute_median(np.array([[np.nan]]))).all()


def test_equal_values_of_two_runs_have_one_colour(tmp_path):
    """Run b's gradients are ten times run a's: b's second row looks like a's first."""
    tables = {"a": table(tmp_path / "a.csv", 1.0), "b": table(tmp_path / "b.csv", 10.0)}
    draw_runs(tables, tmp_path / "both.png")
    both = matplotlib.image.imread(tmp_path / "both.png")
    assert both.shape[1] == 1650

    colours = {label: column_of_colours(both, first) for label, first in (("a", True), ("b", False))}
    np.testing.assert_allclose(colours["a"][0], colours["b"][1], atol=0.02)
    np.testing.assert_allclose(colours["a"][1], colours["b"][2], atol=0.02)
    assert np.abs(colours["a"][0] - colours["b"][0]).max() > 0.1


def column_of_colours(picture: np.ndarray, first: bool) -> list[np.ndarray]:
    """The three rows' colours in a heatmap of the left column: runs of equal pixels down a line through its middle."""
    line = picture[:, 400, :3]
    edges = [0, *(np.flatnonzero(np.abs(np.diff(line, axis=0)).max(1) > 0.02) + 1).tolist(), len(line)]
    blocks = [line[a] for a, b in pairwise(edges) if b - a > 40 and line[a].min() < 0.9]
    return blocks[:3] if first else blocks[3:6]


@pytest.mark.slow
def test_runs_of_different_networks_and_lengths_are_drawn_together(tmp_path):
    long = table(tmp_path / "long.csv", 1.0, modules=70)
    append_rows(long, [[0, 11, 0, "m.0", math.inf, 0.0, 1.0, None, 0.0, 0.0, 1.0, 1]])
    draw_runs({"short": table(tmp_path / "short.csv", 1.0), "long": long}, tmp_path / "pictures" / "both.pdf")
    assert (tmp_path / "pictures" / "both.pdf").read_bytes().startswith(b"%PDF")
    draw_run(long, tmp_path / "long.png")


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(SegappError, match="at least one"):
        draw_runs({}, tmp_path / "none.png")


@pytest.mark.parametrize("name", ["encoder.0.norm", "layer1.0.bn2", "norm", "bn1"])
def test_norm_layers_are_told_by_name(name):
    assert NORM.search(name) and not NORM.search(name + ".conv")


def flow(folder, name: str, scale: float, modules: int):
    return read_flow(table(folder / f"{name}.csv", scale, modules))


def test_panels_of_one_figure_share_their_scale_and_names_that_a_neighbour_has(tmp_path):
    flows = {f"variant {n}": flow(tmp_path, str(n), 10.0**n, modules=3 + n // 4) for n in range(5)}
    panels = [axes for axes in draw_heatmaps(flows, "gradient_norm").axes if axes.images]
    assert [axes.get_title() for axes in panels] == list(flows)
    assert {(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in panels} == {(1e-2, 1e4)}
    named = [[label.get_text() for label in axes.get_yticklabels() if label.get_text()] for axes in panels]
    assert named == [["m.0", "m.1", "m.2"], [], [], ["m.0", "m.1", "m.2"], ["m.0", "m.1", "m.2", "m.3"]]


def test_profiles_are_medians_and_of_networks_of_different_depth_over_the_share_of_it(tmp_path):
    flows = {"short": [flow(tmp_path, "s", 1.0, 3), flow(tmp_path, "t", 2.0, 3)], "long": [flow(tmp_path, "l", 1.0, 5)]}
    gradients, _ = draw_profiles(flows).axes
    first, second, long = gradients.lines
    assert (first.get_color(), first.get_label()) == (second.get_color(), "short")
    np.testing.assert_allclose(second.get_ydata(), [2, 0.2, 0.02])
    assert list(first.get_xdata()) == [0, 0.5, 1] and long.get_xdata()[-1] == 1
    assert list(draw_profiles({"long": flows["long"]}).axes[0].lines[0].get_xdata()) == [0, 1, 2, 3, 4]
