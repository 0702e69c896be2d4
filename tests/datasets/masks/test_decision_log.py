"""The log says how many pixels were decided by a rule."""

import logging
from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Threshold
from segapp.datasets.masks.decision_log import DecisionLog
from tests.datasets.look_alikes import save
from tests.datasets.masks.coloured import TRUTH, read


def test_the_log_says_how_many_pixels_were_decided(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    smooth = TRUTH * 255
    smooth[8, 8:20] = 90
    for i in range(12):
        save(tmp_path / f"{i}.png", smooth)
    encoding = Threshold(80, above="a")
    with caplog.at_level(logging.WARNING):
        for path in [*tmp_path.iterdir()] * 2:
            np.testing.assert_array_equal(read(encoding, path), TRUTH)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "decided 12 pixels (1.2 %)" in said[0] and "120 pixels" in said[1]


def test_masks_are_counted_once_and_told_after_1_10_and_100(caplog: pytest.LogCaptureFixture) -> None:
    decided = DecisionLog("The rule")
    for number in range(150):
        for _ in range(2):  # seen again: windows of one mask
            decided.add(Path(f"{number}.png"), 1, 100)
    said = [record.getMessage() for record in caplog.records]
    assert [message.split("decided ")[1].split(" ")[0] for message in said] == ["1", "10", "100"]
    assert "0.png" in said[0] and "first 10 masks" in said[1] and "1 %" in said[1]


def test_nothing_is_told_while_nothing_was_decided(caplog: pytest.LogCaptureFixture) -> None:
    decided = DecisionLog("The rule")
    for number in range(12):
        decided.add(Path(f"{number}.png"), 0, 100)
    assert not caplog.records
    decided.add(Path("12.png"), 5, 100)
    assert len(caplog.records) == 1
