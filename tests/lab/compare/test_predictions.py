"""Predictions of another tool, scored as `segapp test` scores its own."""

import json
from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Folder, Indices
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.predicted_masks import PredictedMasks
from segapp.errors import MisuseError
from segapp.io import write_image
from segapp.lab.compare.predictions import score_predictions, write_predicted_examples, write_scores
from segapp.lab.compare.truth import find_truth

LABELS = Labels(("background", "cell"), 0)


def make_truth(**settings):
    return find_truth(Path("data.yaml"), Folder("data", LABELS.classes, **settings), "test", [])


def test_scores_and_examples_are_written(tools):
    masks, truth = PredictedMasks(Path("one"), Indices(), LABELS, ""), make_truth()
    result = write_scores("tool", masks, truth, score_predictions(masks, truth, ["a", "c"]), Path("scores"))
    assert [scores["dice"] for scores in result.images.values()] == [7 / 8] * 2
    assert result.facts == {"groups": {"a": "a", "b": "b", "c": "c"}} and result.metrics["loss"] is None
    write_predicted_examples(masks, truth, ["c"], Path("examples"))
    kinds = sorted(path.name for path in Path("examples").iterdir())
    assert kinds == ["c-image.jpg", "c-prediction.png", "c-target.png", "legend.json"]
    assert json.loads(Path("examples/legend.json").read_text())["classes"][1][0] == "cell"


def test_classes_that_were_not_looked_for_have_no_score(tools):
    Path("data/looked_for.csv").write_text("name,classes\na,cell\nb,\nc,cell\n")
    write_image(Path("data/masks/b.png"), np.zeros((16, 16), np.uint8))
    masks, truth = PredictedMasks(Path("one"), Indices(), LABELS, ""), make_truth(looked_for="looked_for.csv")
    evaluation = score_predictions(masks, truth, ["a", "b"])
    assert evaluation.support["cell"] == 1


def test_a_pixel_without_a_class_is_refused(tools):
    masks = PredictedMasks(Path("data/masks"), Indices(), LABELS, "")
    with pytest.raises(MisuseError, match=r"two: .*'a'.* 64 pixels"):
        score_predictions(PredictedMasks(Path("two"), Indices({0: 0, 9: 255}), LABELS, ""), make_truth(), ["a"])
    assert score_predictions(masks, make_truth(), ["c"]).flat["dice/dataset"] == 1  # ignored in both
