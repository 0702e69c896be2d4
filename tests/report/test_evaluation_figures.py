"""What the figures of an evaluation show."""

import math

import numpy as np
import torch

from segapp.metrics import TEST_SCORES, ScoreCollector
from segapp.report.evaluation_figures import (
    FEWEST_IMAGES,
    draw_dependence,
    draw_distributions,
    find_lowest,
    format_correlation,
    list_causes,
    list_image_scores,
)
from segapp.report.pixels import ImageProperties


def evaluate(images):
    """Evaluate images of 8 x 8 pixels whose object grows by a column each, and is found without its first column."""
    collector = ScoreCollector(("ground", "cell"), 0, TEST_SCORES)
    for index in range(images):
        target = torch.zeros(8, 8, dtype=torch.uint8)
        target[2:4, : index % 7 + 1] = 1
        prediction = target.clone()
        prediction[:, 0] = 0
        collector.update(prediction, target, f"{index}")
    return collector.compute()


def test_scores_and_causes_are_of_each_image():
    evaluation = evaluate(FEWEST_IMAGES)
    dice = list_image_scores(evaluation)["dice"]
    np.testing.assert_allclose(dice[:3], [0, 2 * 2 / (2 * 2 + 2), 2 * 4 / (2 * 4 + 2)])
    properties = {str(i): ImageProperties(8, 8 + i, 0.5, 0.1) for i in range(FEWEST_IMAGES)}
    causes = list_causes(evaluation, properties)
    np.testing.assert_allclose(causes["mean size of its objects, pixels"][:3], [2, 4, 6])
    np.testing.assert_allclose(causes["fraction that is not background"][:2], [2 / 64, 4 / 64])
    np.testing.assert_allclose(causes["its pixels"][:2], [64, 72])
    assert "brightness" not in causes and "number of its objects" not in causes  # the same everywhere
    assert list_causes(evaluate(FEWEST_IMAGES - 1), {}) == {}


def test_figures_have_a_panel_for_each_score_and_cause():
    scores = {"dice": np.array([0.1, 0.5, math.nan]), "hd95": np.array([3.0, 4.0, 9.0])}
    figure = draw_distributions({**scores, "none": np.full(3, math.nan)})
    assert [axes.get_title() for axes in figure.axes] == ["dice", "hd95"]
    sizes = np.array([1.0, 50.0, 100.0])
    figure = draw_dependence(scores["hd95"], "hd95", {"size": sizes, "contrast": sizes / 100 + 1})
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear"]
    assert [axes.get_title() for axes in figure.axes] == ["rank correlation +1.00"] * 2


def test_the_lowest_are_found_without_unknown_ones():
    assert find_lowest([0.5, math.nan, 0.2, 0.2], ["a", "b", "d", "c"], 2) == [3, 2]
    assert format_correlation(math.nan) == ""
