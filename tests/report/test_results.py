"""What finished runs left on the disk."""

import math
from pathlib import Path

import pytest

from segapp.errors import SegappError
from segapp.natural_order import make_natural_key
from segapp.report.gradient_flow_table import COLUMNS
from segapp.report.results import (
    Result,
    assign_groups,
    compute_image_scores,
    compute_nan_mean,
    find_common_images,
    list_scores,
    select_scores,
)
from tests.lab.study.runs_by_hand import results, run, write_csv, write_landscape


def test_the_scores_of_an_image_are_its_columns_without_a_class():
    row = {"name": "x", "dice": "0.75", "hd95": "", "dice/b": "0.5", "tp/b": "4"}
    assert compute_image_scores(Path("x.csv"), row) == pytest.approx({"dice": 0.75, "hd95": math.nan}, nan_ok=True)
    with pytest.raises(SegappError, match=r"x\.csv: has no scores per image"):
        compute_image_scores(Path("x.csv"), {"name": "x", "tp/b": "4"})


def test_an_arm_is_scored_by_seed(tmp_path):
    made = results(tmp_path)[:3]
    assert select_scores(made, "plain", "dice", ["10", "11"]).keys() == {0, 1}
    assert select_scores(made, "skip & add", "hd95", ["11", "10"])[0].tolist() == [1.0, 1.0]


def test_groups_by_neighbours_pattern_and_data():
    names = sorted(["s10", "s9", "s1", "s2", "other"], key=make_natural_key)
    assert names == ["other", "s1", "s2", "s9", "s10"]
    assert assign_groups(names, {}, {"neighbours": 2}) == ["000000", "000000", "000001", "000001", "000002"]
    assert assign_groups(names, {}, {"pattern": r"^s(\d)"}) == ["other", "1", "2", "9", "1"]
    assert assign_groups(names, {"s1": "one"}, {})[:2] == ["other", "one"]


def test_files_are_read_where_they_are(tmp_path):
    first = run(tmp_path, "plain", 0, flow=True)
    assert first.metrics["loss"] == 0.25
    assert [row["val/loss"] for row in first.curves] == ["2", "1"]
    assert first.images["11"]["dice"] == pytest.approx(4 / 6)
    assert first.flow.modules == ["encoder.0", "head"]
    assert first.landscape == first.run / "landscape"
    nothing = Result("none", 0)
    assert (nothing.metrics, nothing.curves, nothing.images, nothing.flow, nothing.landscape) == (
        {},
        [],
        {},
        None,
        None,
    )


def test_an_unfinished_landscape_is_none(tmp_path):
    made = run(tmp_path, "plain", 0, flow=False)
    assert made.landscape is None
    write_landscape(made.run / "landscape", top=1.0, finished=False)
    assert made.landscape is None


def test_only_what_all_runs_have_is_compared(tmp_path):
    made = results(tmp_path, flow=False)
    write_csv(made[0].evaluation / "per_image.csv", "name,iou,hd95,precision", ["10,0.5,1,1", "9,0.5,1,1"])
    assert find_common_images(made) == ["10"] and find_common_images(made[1:]) == ["10", "11"]
    assert find_common_images(made[4:]) == []  # a run that failed
    assert list_scores(made) == ["iou", "hd95"] and list_scores(made[4:]) == []
    assert list_scores(made[:1]) == ["iou", "hd95"] and "precision" in made[0].images["10"]


def test_a_mean_leaves_out_what_is_no_number():
    assert compute_nan_mean([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(compute_nan_mean([math.nan])) and math.isnan(compute_nan_mean([]))


DAMAGED = {
    "metrics.json": ('{"scores": {"dice/image": "much"}, "loss": 1}', "metrics"),
    "metrics.json with a number as text": ('{"scores": {"a/b": "7"}, "loss": 1}', "metrics"),
    "metrics.json without a loss": ('{"scores": {}}', "metrics"),
    "per_image.csv": ("name,dice\na,much\n", "images"),
    "per_image.csv without names": ("image,dice\na,0.5\n", "images"),
    "metrics.csv": ("epoch,val/loss\n1,low\n", "curves"),
    "gradient_flow.csv": (f"{','.join(COLUMNS)}\n{','.join(['x'] * len(COLUMNS))}\n", "flow"),
}


@pytest.mark.parametrize(("file", "text", "read"), [(key, *value) for key, value in DAMAGED.items()], ids=DAMAGED)
def test_an_altered_file_is_named(tmp_path, file, text, read):
    name = file.split()[0]
    (tmp_path / name).write_text(text)
    with pytest.raises(SegappError, match=name):
        getattr(Result("a", 0, run=tmp_path, evaluation=tmp_path), read)
