"""The images of a comparison."""

import json
import math

import pytest

from segapp.errors import MisuseError
from segapp.lab.compare.images import choose_common, rank_images, restrict_run
from segapp.report.results import Result

HELD = {"run": ["10", "2", "3"], "tool": ["2", "10"]}


def write_evaluation(folder, **dice):
    folder.mkdir()
    lines = ["name,dice,hd95", *(f"{name},{value},2" for name, value in dice.items())]
    (folder / "per_image.csv").write_text("\n".join(lines) + "\n")
    boundaries = {"tolerance": 1, "unit": "mm"}
    (folder / "metrics.json").write_text(json.dumps({"loss": 0.5, "scores": {}, "boundaries": boundaries}))
    return Result(folder.name, 0, evaluation=folder)


def test_missing_images_are_named_with_the_option_that_leaves_them_out():
    with pytest.raises(MisuseError, match=r"tool .* 1 of 3 images: '3'.* 2 images .*--only_common true"):
        choose_common(HELD, only_common=False)
    assert choose_common(HELD, only_common=True) == ["2", "10"]
    with pytest.raises(MisuseError, match="'2'"):
        choose_common({"run": ["1"], "tool": ["2"]}, only_common=True)


def test_scores_of_a_run_on_some_images_are_theirs_alone(tmp_path):
    result = write_evaluation(tmp_path / "all", a=0.5, b="", c=1)
    assert restrict_run(result, ["a", "b", "c"], tmp_path / "some") is result
    some = restrict_run(result, ["a", "b"], tmp_path / "some")
    assert list(some.images) == ["a", "b"] and math.isnan(some.images["b"]["dice"])
    assert json.loads((tmp_path / "some/metrics.json").read_text())["scores"] == {"dice/image": 0.5, "hd95/image": 2}
    assert some.metrics["loss"] is None and some.metrics["boundaries"] == result.metrics["boundaries"]


def test_images_are_ranked_by_the_difference_to_the_first(tmp_path):
    first, second = (
        write_evaluation(tmp_path / "first", a=0.5, b=0.5, c=1),
        write_evaluation(tmp_path / "x", a=1, b=0.4, c=""),
    )
    ((better, won), (worse, lost)) = rank_images([first, second], ["a", "b", "c"], "dice", 2)
    assert "better" in better and won == ["a"]
    assert "worse" in worse and lost == ["b"]
