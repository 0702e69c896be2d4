"""`--fail_under`: the least value of a score."""

import pytest
import torch

from segapp.cli.thresholds import Thresholds
from segapp.errors import MisuseError, SegappError
from segapp.metrics import Boundary, ScoreCollector

COLLECTOR = ScoreCollector(("ground", "a=b"), 0, (Boundary,))


@pytest.mark.parametrize("word", ["iou/dataset", "=0.8", "iou/dataset=high", "iou/dataset=nan", ""])
def test_a_word_without_name_or_number_is_refused(word):
    with pytest.raises(MisuseError, match=r"iou/dataset=0\.8"):
        Thresholds.parse([word])


def test_names_are_those_of_metrics_json():
    found = Thresholds.parse(["iou/dataset=0.5", "dice/image/a=b=0.25"])
    assert found.least == {"iou/dataset": 0.5, "dice/image/a=b": 0.25} and Thresholds.parse("a=1").least == {"a": 1}
    found.refuse_unknown(COLLECTOR, {"test": ["a"]})
    with pytest.raises(MisuseError, match=r"did you mean 'iou/dataset'.*iou/image"):
        Thresholds({"iou/datset": 0}).refuse_unknown(COLLECTOR, {})
    with pytest.raises(MisuseError, match="less is better"):
        Thresholds({"hd95/image": 3}).refuse_unknown(COLLECTOR, {})
    Thresholds({"dice/volume": 0}).refuse_unknown(COLLECTOR, {"test": ["v/axial=0"]})
    with pytest.raises(MisuseError, match="dice/volume"):
        Thresholds({"dice/volume": 0}).refuse_unknown(COLLECTOR, {"test": ["v"]})


def test_every_low_score_is_named():
    collector = ScoreCollector(("ground", "cell", "none"), 0)
    collector.update(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 0, 0]]), "v/axial=0")
    evaluation = collector.compute()
    Thresholds({"dice/dataset": 0.66, "iou/volume": 0.5}).check(evaluation)
    with pytest.raises(SegappError, match=r"iou/dataset is 0.5000, below 0.6; dice/image/none has no value") as caught:
        Thresholds({"iou/dataset": 0.6, "dice/dataset": 0.1, "dice/image/none": 0.0}).check(evaluation)
    assert caught.value.exit_code == 1
