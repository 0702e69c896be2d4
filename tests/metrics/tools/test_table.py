"""The readable table of a tool's scores."""

import math

from segapp.metrics.score import Value
from segapp.metrics.tools.table import format_scores
from segapp.metrics.tools.tool import ToolScores


def test_classes_have_lines_and_scores_without_classes_follow() -> None:
    scores = ToolScores({"mIoU": Value(0.5, (0.5, math.nan)), "aAcc": Value(0.75)})
    lines = [line.split() for line in format_scores(scores, ["ground", "ce\x1bll"]).splitlines()]
    assert lines[0] == ["class", "mIoU"] and lines[1] == ["ground", "0.5000"] and lines[2][-1] == "-"
    assert lines[3:] == [["mean", "0.5000"], ["aAcc", "0.7500"]]
    assert "\x1b" not in format_scores(scores, ["ground", "ce\x1bll"])
    assert format_scores(ToolScores({"aAcc": Value(1.0)}), ["a", "b"]).split() == ["aAcc", "1.0000"]
