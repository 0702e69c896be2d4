"""The readable table of scores."""

import torch

from segapp.metrics import ScoreCollector


def test_the_readable_table_has_dashes_where_nothing_was_scored_and_escapes_names() -> None:
    scores = ScoreCollector(("ground", "ce\x1bll"), 0)
    scores.update(torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long), "a")
    text = str(scores.compute())
    assert text.startswith("1 images\n") and "\x1b" not in text
    lines = text.splitlines()
    ground, cell, mean_row = (next(line for line in lines if key in line) for key in ("ground", "ll", "mean"))
    assert ground.split()[-1] == "1" and cell.split()[-1] == "0"
    assert set(mean_row.split()[1:]) == {"-"}
    assert "nothing to score" in text
