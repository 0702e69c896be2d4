"""What the least certain images hold, against sets of images that are counted by hand."""

import math

import pytest
import torch

from segapp.metrics import ScoreCollector, describe_review, format_review


def collect(wrong: list[int], confidences: list[float], pixels: int = 10) -> ScoreCollector:
    """Images of cells, of which so many pixels are predicted as background."""
    collector = ScoreCollector(("background", "cell"), 0)
    for index, (errors, confidence) in enumerate(zip(wrong, confidences, strict=True)):
        target = torch.ones(1, pixels, dtype=torch.uint8)
        prediction = target.clone()
        prediction[0, :errors] = 0
        collector.update(prediction, target, f"{index:03}", confidence=confidence)
    return collector


def test_the_least_certain_images_are_reviewed_first() -> None:
    wrong = [0] * 20
    wrong[7], wrong[3], wrong[11] = 8, 4, 4
    confidences = [0.9 + index / 1000 for index in range(20)]
    confidences[7], confidences[3], confidences[5] = 0.1, 0.3, 0.2
    found = describe_review(collect(wrong, confidences).compute())
    assert (found["images"], found["wrong_pixels"]) == (20, 16)
    first, second, fifth, half = found["reviewed"]
    assert first == {
        "fraction": 0.05,
        "images": 1,
        "wrong_pixels": 0.5,
        "wrong_pixels_possible": 0.5,
        "worst_images": 1.0,
    }
    assert second == {
        "fraction": 0.1,
        "images": 2,
        "wrong_pixels": 0.5,
        "wrong_pixels_possible": 0.75,
        "worst_images": 0.5,
    }
    assert (fifth["images"], fifth["wrong_pixels"], half["images"], half["wrong_pixels"]) == (4, 0.75, 10, 0.75)
    assert "50.0%" in format_review(found).splitlines()[2]


def test_coverage_keeps_the_most_certain_images() -> None:
    found = describe_review(collect([5, 0, 0, 1], [0.2, 0.9, 0.8, 0.7]).compute())["coverage"]
    by_coverage = {step["coverage"]: step for step in found}
    assert by_coverage[1.0]["accuracy"] == 34 / 40 and by_coverage[1.0]["images"] == 4
    assert by_coverage[0.75]["accuracy"] == 29 / 30 and by_coverage[0.5]["accuracy"] == 1.0
    assert by_coverage[0.05]["images"] == 1 and by_coverage[0.05]["dice"] == 1.0
    assert by_coverage[1.0]["dice"] == pytest.approx((2 * 5 / 15 + 1 + 1 + 2 * 9 / 19) / 4)


def test_perfect_ignored_and_unscored_images_have_no_fractions() -> None:
    found = describe_review(collect([0, 0], [0.5, 0.6]).compute())
    assert found["reviewed"][0]["wrong_pixels"] is None and found["coverage"][0]["accuracy"] == 1.0
    assert "-" in format_review(found)
    collector = ScoreCollector(("background", "cell"), 0)
    collector.update(
        torch.zeros(1, 2, dtype=torch.uint8), torch.full((1, 2), 255, dtype=torch.uint8), "a", confidence=0.5
    )
    found = describe_review(collector.compute())
    assert (
        found["coverage"][0]["accuracy"] is found["coverage"][0]["dice"] is found["reviewed"][0]["worst_images"] is None
    )


def test_without_confidences_there_is_no_review() -> None:
    assert describe_review(collect([1, 2], [0.5, math.nan]).compute()) is None
    assert describe_review(ScoreCollector(("a", "b"), None).compute()) is None


def test_the_table_of_images_has_the_confidence_where_it_is_known() -> None:
    header, rows = collect([1], [0.25]).compute().tabulate()
    assert rows[0][header.index("mean_confidence")] == 0.25
    assert "mean_confidence" not in collect([1], [math.nan]).compute().tabulate()[0]
