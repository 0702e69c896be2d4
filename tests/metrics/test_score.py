"""A score is one class."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segapp.api.evaluate import evaluate
from segapp.metrics import Comparison, Evaluation, Score, ScoreCollector
from segapp.metrics.overlap import RATES
from segapp.metrics.score import average_over_classes
from segapp.report.results import is_lower_better


class Area(Score):
    """The predicted pixels of every class."""

    columns = ("area",)

    def update(self, comparison: Comparison) -> torch.Tensor:
        known = comparison.prediction[comparison.target != 255]
        return torch.bincount(known.flatten().long(), minlength=comparison.num_classes)[None]


def test_a_new_score_is_one_class() -> None:
    scores = ScoreCollector(("ground", "cell"), 0, [Area])
    scores.update(torch.tensor([[1, 1, 0, 1]]), torch.tensor([[1, 0, 0, 255]]), "b")
    scores.update(torch.tensor([[1, 0, 0, 0]]), torch.tensor([[1, 1, 1, 1]]), "a")
    evaluation = scores.compute()
    assert scores.names == list(evaluation.flat)
    assert evaluation.flat["area/image"] == evaluation.flat["area/image/cell"] == 1.5
    assert evaluation.flat["area/image/ground"] == 2
    header, rows = evaluation.tabulate()
    assert header[:4] == ["name", "dice", "iou", "area"]
    assert header[4:10] == ["tp/ground", "fp/ground", "fn/ground", "dice/ground", "iou/ground", "area/ground"]
    assert [row[0] for row in rows] == ["a", "b"]
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["area"] for row in table] == [row["area/cell"] for row in table] == [1, 2]
    assert isinstance(evaluation, Evaluation)


@pytest.mark.parametrize(
    ("values", "background", "expected"),
    [
        ([0.2, 0.4, 0.9], None, 0.5),
        ([0.2, 0.4, 0.9], 0, 0.65),
        ([0.2, math.nan, 0.9], 0, 0.9),
        ([0.2, math.nan, math.nan], 0, math.nan),
    ],
)
def test_the_mean_over_classes_leaves_out_the_background_and_what_has_no_value(values, background, expected):
    found = float(average_over_classes(torch.tensor(values, dtype=torch.float64), background))
    assert found == pytest.approx(expected, nan_ok=True)


def test_images_count_alike_however_many_classes_they_have():
    rows = torch.tensor([[[1.0, 0.0]], [[0.5, math.nan]]])  # (I, columns, K)
    value = Area(("a", "b"), None).reduce(rows)["area/image"]
    assert value.mean == pytest.approx((0.5 + 0.5) / 2)
    assert value.per_class == pytest.approx((0.75, 0.0))


def test_a_comparison_counts_its_confusion_once():
    comparison = Comparison(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 0, 255]]), 2)
    assert comparison.confusion.tolist() == [[1, 1], [0, 0]]
    assert comparison.confusion is comparison.confusion


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("hd95", True),
        ("hd95/image", True),
        ("loss", True),
        ("surface_dice/image", False),
        ("area_error/image", True),
        ("dice/dataset", False),
    ],
)
def test_reports_ask_the_scores_whether_less_is_better(score: str, expected: bool) -> None:
    assert is_lower_better(score) == expected


def test_the_scores_of_the_guide_are_scored_and_reported_by_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow docs/scores.md, section "Add a score"."""
    page = (Path(__file__).parents[2] / "docs" / "scores.md").read_text()
    defined: dict[str, Any] = {"Tensor": torch.Tensor}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, defined)
    for module in ("segapp.api.evaluate", "segapp.report.results"):
        monkeypatch.setattr(f"{module}.TEST_SCORES", (defined["Difference"],))
    monkeypatch.setitem(RATES, "f2", defined["compute_f2"])
    target, prediction = np.array([[1, 1, 1, 255], [0, 0, 0, 2]]), np.array([[1, 0, 0, 1], [0, 0, 0, 1]])
    values = evaluate([prediction], [target], ("ground", "cell", "dirt", "none")).flat
    assert [values[f"difference/image/{name}"] for name in ("ground", "cell", "dirt")] == [2, 1, 1]
    assert values["difference/image"] == pytest.approx(4 / 3)
    assert math.isnan(values["difference/image/none"])
    assert values["f2/dataset/cell"] == pytest.approx(5 / (5 + 4 * 2 + 1))
    assert is_lower_better("difference/image")
    assert not is_lower_better("f2/image")
