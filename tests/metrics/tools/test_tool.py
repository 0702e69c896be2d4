"""What tools share: counts of what empty masks did, and the values of classes and images as tables."""

import pytest

from segapp.metrics.tools import TOOLS
from segapp.metrics.tools.tool import count_absences, count_false_alarms, format_times, name_absent
from tests.metrics.tools.mask_cases import CASES, IGNORED, K, count


def test_alarms_and_absences_are_counted_by_image_and_class() -> None:
    counts = count(CASES["single pixel"])  # class 1: right, imagined, missed; classes 2 and 3 nowhere
    assert count_false_alarms(counts, [1, 2, 3]) == 1
    assert count_absences(counts, [1, 2, 3]) == 6
    assert name_absent(counts, [1, 2, 3]) == "class 2, class 3"
    assert (format_times(1), format_times(1200)) == ("Once", "1,200 times")


def test_every_tool_scores_a_perfect_prediction_and_explains_itself() -> None:
    for name, tool in TOOLS.items():
        scores = tool.score(count(CASES["perfect"], 0))
        assert all(value == pytest.approx(1) for key, value in scores.flat.items() if "weighted-im" not in key), name
        assert "class 0, the background" in tool.explain(count(CASES["perfect"], 0))[0]
        assert tool.title and "/" in tool.source


def test_tables_have_a_row_for_each_image() -> None:
    counts = count(IGNORED["ignored region"])
    scores = TOOLS["nnunet"].score(counts)
    header, rows = scores.tabulate(counts)
    row = dict(zip(header, rows[0], strict=True))
    assert len(rows) == 3 and header[:3] == ["name", "Dice", "IoU"]
    tp, fp, fn = (row[f"{key}/class 1"] for key in ("tp", "fp", "fn"))
    assert row["Dice/class 1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert row["Dice"] == pytest.approx(sum(row[f"Dice/class {c}"] for c in range(1, K)) / 3)
    header, _ = TOOLS["mmseg"].score(counts).tabulate(counts)
    assert header[:4] == ["name", "tp/class 0", "fp/class 0", "fn/class 0"]
    assert scores.flatten(counts.classes)["Dice/class 1"] == scores.values["Dice"].per_class[1]
