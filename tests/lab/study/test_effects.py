"""Rows of runs, variants and contrasts, worked out by hand."""

import math

import numpy as np
import pytest

from segapp.lab.study.effects import (
    Question,
    compute_gradient_profile,
    find_best_losses,
    make_contrast_rows,
    make_image_rows,
    make_run_rows,
    make_variant_rows,
)
from segapp.report.results import Result
from tests.lab.study.runs_by_hand import SCORES, results, run, write_csv


def test_a_contrast_is_paired_by_seed_and_image(tmp_path):
    made = results(tmp_path)[:4]
    question = Question("q", ("skip & add",), ("plain",))
    dice, hd95 = make_contrast_rows(made, [question], ["dice", "hd95"], {})
    plain = [8 / 12, 4 / 6]
    ours = [[1, 1], [16 / 18, 8 / 10]]
    assert dice["estimate"] == pytest.approx(np.mean(ours) - np.mean(plain))
    assert hd95["estimate"] == pytest.approx((1 + 1 + 1 + 2) / 4 - 4)
    assert (dice["seeds"], dice["images"], dice["groups"]) == (2, 2, 2)
    assert dice["p"] == dice["p (Holm)"] > 0.05
    only = make_contrast_rows(made[:3], [question], ["dice"], {"neighbours": 2})[0]
    assert (only["seeds"], only["groups"]) == (1, 1)  # seed 1 lacks a variant
    assert math.isnan(only["low"])


def test_with_one_seed_p_says_what_it_is_of(tmp_path):
    question = Question("q", ("skip & add",), ("plain",))
    row = make_contrast_rows([results(tmp_path)[0], results(tmp_path)[2]], [question], ["hd95"], {})[0]
    assert "p" not in row
    assert 0.05 < row["p (these runs)"] == row["p (these runs) (Holm)"] < 1  # of the differences -2 and -4


def test_a_false_alarm_on_an_empty_image_is_in_the_contrast(tmp_path, monkeypatch):
    monkeypatch.setitem(SCORES, "plain", {0: [(4, 4, 0, 3.0), (0, 0, 0, "")], 1: [(4, 4, 0, 3.0), (0, 0, 0, "")]})
    monkeypatch.setitem(SCORES, "skip & add", {0: [(4, 4, 0, 3.0), (0, 9, 0, 1.0)], 1: [(4, 4, 0, 3.0), (0, 0, 0, "")]})
    row = make_contrast_rows(results(tmp_path)[:4], [Question("q", ("skip & add",), ("plain",))], ["dice"], {})[0]
    assert row["estimate"] == pytest.approx((8 / 12 + 0 + 8 / 12) / 3 - 8 / 12)
    assert row["images"] == row["groups"] == 2


def test_an_epoch_without_validation_does_not_hide_the_best_one(tmp_path):
    header = "epoch,step,train/loss,val/loss,val/dice/dataset"
    write_csv(tmp_path / "metrics.csv", header, ["1,1,1,,", "2,2,1,1,0.3", "3,3,1,,", "4,4,1,1,0.4"])
    assert make_run_rows([Result("every other", 0, run=tmp_path)])[0]["best val/dice/dataset"] == 0.4


def test_rows_of_runs(tmp_path):
    first, *_, broken = make_run_rows(results(tmp_path))
    assert (first["parameters"], first["gflops"], first["epochs"], first["scored loss"]) == (100, 0.002, 2, 0.25)
    assert (first["train/loss"], first["val/loss"], first["best val/dice/dataset"]) == (0.5, 1.0, 0.3)
    assert first["gradient/encoder.0"] == pytest.approx(2.5)  # the median of 1 and 4
    assert find_best_losses(results(tmp_path)[0]) == (0.5, 1.0)
    assert all(math.isnan(loss) for loss in find_best_losses(Result("none", 0)))
    assert "dice/dataset/a" not in first
    assert broken["status"] == "failed"


def test_a_run_that_was_not_watched_has_no_profile(tmp_path):
    assert compute_gradient_profile(run(tmp_path, "plain", 0, flow=False)) == {}


def test_images_have_a_row_each_with_their_group(tmp_path):
    rows = make_image_rows(results(tmp_path, flow=False)[:1], {})
    assert [(row["image"], row["group"]) for row in rows] == [("10", "p"), ("11", "q")]
    assert rows[1] == pytest.approx(
        {"variant": "plain", "seed": 0, "image": "11", "group": "q", "dice": 0.666667, "iou": 0.5, "hd95": 5.0}
    )
    assert [row["group"] for row in make_image_rows(results(tmp_path)[:1], {"neighbours": 2})] == ["000000"] * 2


def test_variants_have_the_mean_over_seeds_and_images(tmp_path):
    made = [*results(tmp_path, flow=False), Result("broken", 0, status="failed")]
    plain, ours = make_variant_rows(made, ["dice"], {})
    assert (plain["variant"], plain["seeds"], plain["score"]) == ("plain", 2, "dice/image")
    assert plain["estimate"] == pytest.approx((8 / 12 + 4 / 6) / 2)
    assert ours["estimate"] == pytest.approx((1 + 1 + 16 / 18 + 8 / 10) / 4)
    assert ours["low"] <= ours["estimate"] <= ours["high"]


def test_a_contrast_without_a_common_seed_has_no_number(tmp_path):
    made = [results(tmp_path, flow=False)[0], results(tmp_path, flow=False)[3]]  # plain 0 and skip & add 1
    (row,) = make_contrast_rows(made, [Question("q", ("skip & add",), ("plain",))], ["dice"], {})
    assert row["seeds"] == 0 and math.isnan(row["estimate"]) and math.isnan(row["p"])
