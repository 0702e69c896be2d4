"""Names of variants, contrasts, scores and layers in figures of a study: drawn as text, in separate figures."""

import html

import matplotlib
import numpy as np
import pytest

from segapp.lab.gradient_flow import figures as flow
from segapp.lab.landscape import figures as landscape
from segapp.report import figures
from segapp.report.figures import draw_curves, make_figure, render_svg, save_png, use_defaults, use_style
from segapp.report.gradient_flow_table import FlowTable
from segapp.report.results import Result
from segapp.terminal.text import for_terminal
from tests.lab.study.runs_by_hand import write_csv

HOSTILE = ["$$", "$\\frac{$", "a$b_$c", "_hidden", "<script>&", "a\x1b[2J\nb", 'x id="y', f"ink {figures.INK}"]

ALL_IN_ONE = "_hidden $\\frac{$ <script>&"
"""Names with an underscore first are left out of legends, and what is between dollars is mathematics."""


def interval(name, score="dice"):
    return {"score": score, "contrast": name, "estimate": 0.01, "low": -0.01, "high": 0.02}


def landscape_of(name):
    settings = {"loss": "odd.$Loss$", "samples": 3, "size": [8, 8], "split": "train", "statistics": "frozen"}
    at = np.linspace(-1, 1, 5)
    plane = 0.1 + at[:, None] ** 2 + at**2
    line = 0.1 + np.linspace(-1, 1, 21) ** 2
    return landscape.Landscape(name, settings, np.linspace(-1, 1, 21), line[None], at, at, plane, np.zeros((0, 2)))


def flow_of(layer):
    values = {name: np.ones((2, 2)) for name in ("gradient_norm", "update_ratio", "dead_channels", "weight_norm")}
    return FlowTable([1, 2], [layer, "head"], values)


def curves_of(folder, name):
    (folder / "metrics.csv").write_text("epoch,step,train/loss,val/loss,val/dice/dataset\n1,1,1,2,0.3\n2,2,1,2,0.3\n")
    return figures.draw_curves([Result(name, 0, run=folder)])


DRAWN = {
    "dots": lambda name, folder: figures.draw_intervals([interval(name)], "contrast", zero=True, points={}),
    "score": lambda name, folder: figures.draw_intervals([interval("a", name)], "contrast", zero=True, points={}),
    "curves": lambda name, folder: curves_of(folder, name),
    "profiles": lambda name, folder: flow.draw_profiles({name: [flow_of("conv")]}),
    "heatmaps": lambda name, folder: flow.draw_heatmaps({"run": flow_of(name)}, "gradient_norm"),
    "labels": lambda name, folder: flow.draw_heatmaps({name: flow_of("conv")}, "gradient_norm"),
    "contours": lambda name, folder: landscape.draw_contours([landscape_of(name)]),
    "surfaces": lambda name, folder: landscape.draw_surfaces([landscape_of(name)]),
    "lines": lambda name, folder: landscape.draw_lines([landscape_of(name)]),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_names_are_drawn_as_text_and_pages_hold_them_escaped(kind, tmp_path):
    names = HOSTILE if kind == "dots" else [ALL_IN_ONE]
    for name in names:
        with figures.use_style():
            svg = figures.render_svg(DRAWN[kind](name, tmp_path), "some")
        assert html.escape(for_terminal(name), quote=False) in svg
        assert "<script>" not in svg
        assert "\x1b" not in svg


def test_only_the_tags_of_a_figure_are_made_the_pages_own():
    with figures.use_style():
        figure = figures.draw_intervals([interval(f'id="a" {figures.INK}')], "contrast", zero=True, points={})
        svg = figures.render_svg(figure, "one")
    assert f'id="a" {figures.INK}' in svg
    assert 'id="one-figure_1"' in svg
    assert svg.count(figures.INK) == 1  # every other is the page's ink


def test_long_names_and_many_scores_do_not_run_into_each_other():
    long = "short concat over short add, in the encoder and in the decoder, at every level"
    scores = ["dice", "iou", "surface_dice", "hd95", "volume_similarity"]
    rows = [interval(name, score) for score in scores for name in ("one", long)]
    with figures.use_style():
        figure = figures.draw_intervals(rows, "contrast", zero=True, points={})
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for axes in figure.axes for text in texts(axes)]
    assert len(figure.axes) == len(scores)
    assert all(not one.overlaps(two) for i, one in enumerate(boxes) for two in boxes[:i])
    assert min(axes.get_window_extent().width for axes in figure.axes) > 150


def texts(axes):
    """What can be read: the title and the labels of the ticks within the axes."""
    low, high = axes.get_xlim()
    ticks = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    names = [label for label in axes.get_yticklabels() if label.get_visible()]
    return [text for text in [axes.title, *ticks, *names] if text.get_text()]


def test_a_loss_that_runs_away_in_one_epoch_leaves_the_others_to_be_seen(tmp_path):
    header = "epoch,step,train/loss,val/loss,val/dice/dataset"
    lines = [f"{epoch},{epoch},0.5,{385 if epoch == 3 else 1 / (1 + epoch)},0.8" for epoch in range(9)]
    write_csv(tmp_path / "metrics.csv", header, lines)
    panels = draw_curves([Result("only long", 0, run=tmp_path)]).axes
    assert [axes.get_yscale() for axes in panels] == ["linear", "log", "linear"]


def test_settings_of_the_current_folder_change_no_figure(tmp_path):
    """matplotlib reads a ./matplotlibrc, which may have come with images: text.usetex would start LaTeX."""
    plain = make_figure(2, 2)
    plain.subplots().plot([1, 2])
    save_png(plain, tmp_path / "plain.png")
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        with use_style():
            figure = make_figure(2, 2)
            figure.subplots().plot([1, 2])
        save_png(figure, tmp_path / "a.png")
        assert "<svg" in render_svg(figure, "a")
        with use_defaults():
            assert not matplotlib.rcParams["text.usetex"]
        assert matplotlib.rcParams["text.usetex"]
