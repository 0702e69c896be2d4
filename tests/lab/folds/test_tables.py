"""Scores out of fold, by hand."""

import json

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.lab.folds.tables import make_fold_rows, make_image_rows, make_score_rows
from segapp.report.results import Result
from segapp.report.statistics import estimate_mean

CLASSES = ("ground", "disc")
COUNTS = {"a2": (30, 10, 0), "a10": (10, 0, 10), "b1": (0, 5, 5)}
"""True positives, false positives, false negatives of the disc; the ground has 50, 1, 2."""


def make_result(folder, fold, images):
    """One fold's evaluation as `segapp validate` leaves it on the disk."""
    folder.mkdir()
    header = [f"{column}/{name}" for name in CLASSES for column in ("tp", "fp", "fn")]
    lines = [",".join(["name", "dice", *header])]
    for name in images:
        tp, fp, fn = COUNTS[name]
        lines.append(f"{name},{2 * tp / (2 * tp + fp + fn)},50,1,2,{tp},{fp},{fn}")
    (folder / "per_image.csv").write_text("\n".join(lines) + "\n")
    scores = {"dice/dataset": 0.5, "dice/dataset/disc": 0.5}
    (folder / "metrics.json").write_text(json.dumps({"loss": 1.0, "scores": scores}))
    return Result(fold, 0, evaluation=folder, seconds=3.0, facts={"groups": {name: name[0] for name in images}})


@pytest.fixture
def results(tmp_path):
    return [make_result(tmp_path / "0", "fold 0", ["a10", "a2"]), make_result(tmp_path / "1", "fold 1", ["b1"])]


def test_every_image_has_one_row_in_natural_order(results):
    rows = make_image_rows(results)
    assert [(row["image"], row["fold"], row["group"]) for row in rows] == [
        ("a2", "fold 0", "a"),
        ("a10", "fold 0", "a"),
        ("b1", "fold 1", "b"),
    ]
    assert [row["dice"] for row in rows] == pytest.approx([6 / 7, 2 / 3, 0])


def test_an_image_in_two_folds_is_refused(results, tmp_path):
    with pytest.raises(SegappError, match="b1"):
        make_image_rows([*results, make_result(tmp_path / "2", "fold 2", ["b1"])])


def test_scores_are_means_over_images_and_of_pooled_counts(results):
    found = {row["score"]: row for row in make_score_rows(results, make_image_rows(results), CLASSES, 0)}
    mean = found["dice/image"]
    assert mean["value"] == pytest.approx((6 / 7 + 2 / 3 + 0) / 3)
    expected = estimate_mean(np.array([[6 / 7, 2 / 3, 0]]), ["a", "a", "b"])
    assert (mean["low"], mean["high"]) == pytest.approx((expected.low, expected.high))
    assert found["dice/dataset/disc"]["value"] == pytest.approx(2 * 40 / (2 * 40 + 15 + 15))
    assert found["dice/dataset"]["value"] == found["dice/dataset/disc"]["value"]  # the mean leaves the ground out
    assert found["iou/dataset/ground"]["value"] == pytest.approx(150 / (150 + 3 + 6))


def test_a_fold_has_its_own_scores(results):
    assert make_fold_rows(results)[1] == {
        "fold": "fold 1",
        "status": "finished",
        "images": 1,
        "epochs": 0,
        "seconds": 3.0,
        "dice/dataset": 0.5,
    }


@pytest.mark.parametrize("count", ["1" * 30, "-1", "x"])
def test_counts_that_are_none_are_named(results, count):
    path = results[0].evaluation / "per_image.csv"
    path.write_text(path.read_text().replace(",50,1,2,", f",{count},1,2,"))
    with pytest.raises(SegappError, match=r"per_image\.csv: damaged"):
        make_score_rows(results, make_image_rows(results), CLASSES, 0)


def test_a_table_without_counts_is_named(results):
    path = results[0].evaluation / "per_image.csv"
    path.write_text("name,dice\na10,0.5\na2,0.5\n")
    with pytest.raises(SegappError, match=r"per_image\.csv: damaged"):
        make_score_rows(results, make_image_rows(results), CLASSES, 0)
