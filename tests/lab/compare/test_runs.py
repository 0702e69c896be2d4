"""Finished runs: whose evaluation is read."""

import json
import os
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.lab.compare.runs import find_evaluation, read_config


def record(run: Path, number: int, **content: str | None) -> None:
    path = run / f"test-{number}" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    os.utime(path, (number, number))


def test_the_newest_verdict_of_the_best_checkpoint_counts(tmp_path):
    record(tmp_path, 1, checkpoint="elsewhere/last.ckpt")
    with pytest.raises(MisuseError, match=r"no test evaluation of best\.ckpt, only of last\.ckpt; run segapp test"):
        find_evaluation(tmp_path, "test")
    for number, content in enumerate(({}, {"checkpoint": "x/best.ckpt"}, {"checkpoint": None}), 2):  # {}: an older one
        record(tmp_path, number, **content)
        record(tmp_path, number + 10, checkpoint="last.ckpt")
        assert find_evaluation(tmp_path, "test") == tmp_path / f"test-{number}"


def test_a_folder_without_a_config_may_be_one_of_predictions(tmp_path):
    with pytest.raises(MisuseError, match="NAME=FOLDER"):
        read_config(tmp_path)
