"""The page of a cross-validation."""

import re

import pytest

from segapp.lab.folds import page
from segapp.lab.folds.page import write_page
from segapp.report.results import Result


def make_tables(dice):
    """The tables of two folds with these scores, one for each image."""
    images = [
        {"image": f"i{number}", "fold": f"fold {number % 2}", "group": f"g{number // 2}", "dice": value}
        for number, value in enumerate(dice)
    ]
    return {"scores": [{"score": "dice/image", "value": 0.5}], "folds": [{"fold": "fold <0>"}], "images": images}


def write(folder, dice, results=None):
    results = results or [Result(f"fold {number}", 0, seconds=90.0) for number in range(2)]
    assert write_page(folder, "segapp folds --redraw <x>", results, make_tables(dice)) == folder / page.PAGE
    return (folder / page.PAGE).read_text()


def test_facts_are_of_all_folds_together(tmp_path):
    text = write(tmp_path, [0.9, 0.1, 0.5, 0.7, 0.3])
    facts = {name: value for value, name in re.findall(r"<div><b>(.*?)</b>(.*?)</div>", text)}
    assert facts == {
        "folds": "2",
        "images scored": "5",
        "groups of images": "3",
        "minutes of all folds together": "3.0",
    }
    assert "fold &lt;0&gt;" in text and "segapp folds --redraw &lt;x&gt;" in text
    assert "Learning curves" not in text and not (tmp_path / "figures").exists()


def test_the_worst_images_are_listed_first_and_no_more_than_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MAX_IMAGES", 3)
    text = write(tmp_path, [0.9, 0.1, 0.5, 0.7, 0.3])
    listed = text[text.index("lowest scores</h2>") :]
    assert re.findall(r"<td>(i\d)</td>", listed) == ["i1", "i4", "i2"]


@pytest.mark.parametrize("epochs", [0, 2])
def test_curves_are_drawn_where_there_are_some(tmp_path, epochs, monkeypatch):
    drawn = []

    def draw(results):
        drawn.extend(results)
        return page.figures.make_figure(1, 1)

    monkeypatch.setattr(page.figures, "draw_curves", draw)
    rows = "".join(f"{epoch},{epoch},1,2,0.3\n" for epoch in range(epochs))
    for number in range(2):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/metrics.csv").write_text("epoch,step,train/loss,val/loss,val/dice/dataset\n" + rows)
    results = [Result(f"fold {number}", number, run=tmp_path / f"{number}", seconds=90.0) for number in range(2)]
    text = write(tmp_path, [0.5, 0.6], results)
    assert ("Learning curves" in text) == (tmp_path / "figures/curves.png").is_file() == bool(epochs)
    assert [(result.variant, result.seed) for result in drawn] == ([("fold 0", 0), ("fold 1", 0)] if epochs else [])


def test_every_fold_has_predictions_under_a_heading_of_its_own(tmp_path):
    results = []
    for number in range(2):
        examples = tmp_path / f"{number}"
        examples.mkdir()
        (examples / "a-image.jpg").write_bytes(b"")
        (examples / "a-target.png").write_bytes(b"")
        results.append(Result(f"fold {number}", 0, seconds=90.0, examples=examples))
    text = write(tmp_path, [0.5, 0.6], results)
    assert re.findall(r"<h2>(Predictions.*?)</h2>", text) == ["Predictions of fold 0", "Predictions of fold 1"]
