"""A page and its tables from run folders written by hand: numbers worked out, nothing fetched, sections in place."""

import csv
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import write_image, write_mask
from segapp.lab.study.effects import (
    Question,
    compute_gradient_profile,
    find_best_losses,
    make_contrast_rows,
    make_run_rows,
)
from segapp.lab.study.page import Report, write_report
from segapp.report.figures import draw_curves
from segapp.report.gradient_flow_table import append_rows, begin_table
from segapp.report.results import Result, assign_groups, compute_image_scores, select_scores, sort_key_natural
from segapp.report.tables import format_html, write_tex

SCORES = {  # variant → seed → (tp, fp, fn) of class b and hd95 per image
    "plain": {0: [(4, 4, 0, 3.0), (2, 0, 2, 5.0)], 1: [(4, 4, 0, 3.0), (2, 0, 2, 5.0)]},
    "skip & add": {0: [(8, 0, 0, 1.0), (4, 0, 0, 1.0)], 1: [(8, 2, 0, 1.0), (4, 0, 2, 2.0)]},
}


def write_csv(path: Path, header: str, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")


def run(folder: Path, variant: str, seed: int, flow: bool) -> Result:
    """A run as `segapp fit`, `test` and GradientFlow leave it."""
    place = folder / variant / f"seed-{seed}"
    images = SCORES[variant][seed]
    overlaps = [
        (2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)) if tp + fp + fn else ("", "") for tp, fp, fn, _ in images
    ]
    rows = [f"{10 + i},{dice},{iou},{images[i][3]},0.9,0.1" for i, (dice, iou) in enumerate(overlaps)]
    header = "name,dice,iou,hd95,dice/a,hd95/a"
    write_csv(place / "test-1" / "per_image.csv", header, rows)
    evaluation = {
        "classes": ["a", "b"],
        "background": "a",
        "loss": 0.25,
        "scores": {"dice/dataset": 0.5, "dice/dataset/a": 1},
    }
    (place / "test-1" / "metrics.json").write_text(json.dumps(evaluation))
    write_csv(
        place / "metrics.csv", "epoch,step,train/loss,val/loss,val/dice/dataset", ["0,1,1,2,0.3", "1,2,0.5,1,0.2"]
    )
    if flow:
        begin_table(place / "gradient_flow.csv", 0)
        for step, first in ((1, 1.0), (9, 4.0), (18, None)):
            measured = [("encoder.0", first), ("head", 2.0)]
            rows = [[0, step, o, m, norm, 1.0, 1.0, 1e-3, 0.0, 0.0, 1.0, 0] for o, (m, norm) in enumerate(measured)]
            append_rows(place / "gradient_flow.csv", rows)
        write_landscape(place / "landscape", top=2.0 + seed)
    picture = np.zeros((8, 8, 3), np.uint8)
    write_image(place / "examples" / "10-image.jpg", picture)
    for kind in ("target", "prediction"):
        write_mask(place / "examples" / f"10-{kind}.png", picture[..., 0], [(0, 0, 0), (9, 9, 9)])
    colours = {
        "classes": [["a", [0, 0, 0]], ["<b>", [9, 9, 9]]],
        "wrong": [255, 0, 255] if variant == "plain" else [1, 2, 3],
    }
    (place / "examples" / "legend.json").write_text(json.dumps(colours))
    facts = {"parameters": 100, "flops": 2_000_000, "image": [1, 8, 8], "groups": {"10": "p", "11": "q"}}
    return Result(
        variant, seed, run=place, evaluation=place / "test-1", examples=place / "examples", seconds=60.0, facts=facts
    )


def write_landscape(folder: Path, top: float, finished: bool = True) -> None:
    """A bowl, as `segapp landscape` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    t, at = np.linspace(-1, 1, 21), np.linspace(-1, 1, 5)
    numbers = {"lines": 0.1 + np.stack([t**2, 2 * t**2]), "plane": 0.1 + top * (at[:, None] ** 2 + at**2)}
    numbers |= {"t": t, "first": at, "second": at, "path": np.zeros((0, 2)), "done": np.ones(67, bool)}
    np.savez(folder / "landscape.npz", **numbers)
    of = {"loss": "segapp.losses.Dice", "samples": 3, "size": [8, 8], "split": "train", "statistics": "frozen"}
    sharp = {"sharpness": [{"curvature": 2.0, "rise": 0.25}, {"curvature": 4.0, "rise": 0.5}]} if finished else {}
    (folder / "landscape.json").write_text(json.dumps({"checkpoint": "x/checkpoints/best.ckpt"} | of | sharp))


def results(folder: Path, flow: bool = True) -> list[Result]:
    made = [run(folder, variant, seed, flow) for variant in SCORES for seed in (0, 1)]
    return [*made, Result("broken", 0, status="failed", message="lr must be a <number>.")]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(made: list[Result]) -> Report:
    question = Question("skip − plain", ("skip & add",), ("plain",))
    return Report("A <title>", "About.", "a minute", "segapp study --redraw", made, [question])


def test_the_scores_of_an_image_are_its_columns_without_a_class():
    row = {"name": "x", "dice": "0.75", "hd95": "", "dice/b": "0.5", "tp/b": "4"}
    assert compute_image_scores(Path("x.csv"), row) == pytest.approx({"dice": 0.75, "hd95": math.nan}, nan_ok=True)
    with pytest.raises(SegappError, match=r"x\.csv: has no score per image"):
        compute_image_scores(Path("x.csv"), {"name": "x", "tp/b": "4"})


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


def test_an_arm_is_scored_by_seed(tmp_path):
    made = results(tmp_path)[:3]
    assert select_scores(made, "plain", "dice", ["10", "11"]).keys() == {0, 1}
    assert select_scores(made, "skip & add", "hd95", ["11", "10"])[0].tolist() == [1.0, 1.0]


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


def test_a_loss_that_runs_away_in_one_epoch_leaves_the_others_to_be_seen(tmp_path):
    header = "epoch,step,train/loss,val/loss,val/dice/dataset"
    lines = [f"{epoch},{epoch},0.5,{385 if epoch == 3 else 1 / (1 + epoch)},0.8" for epoch in range(9)]
    write_csv(tmp_path / "metrics.csv", header, lines)
    panels = draw_curves([Result("only long", 0, run=tmp_path)]).axes
    assert [axes.get_yscale() for axes in panels] == ["linear", "log", "linear"]


def test_groups_by_neighbours_pattern_and_data():
    names = sorted(["s10", "s9", "s1", "s2", "other"], key=sort_key_natural)
    assert names == ["other", "s1", "s2", "s9", "s10"]
    assert assign_groups(names, {}, {"neighbours": 2}) == ["000000", "000000", "000001", "000001", "000002"]
    assert assign_groups(names, {}, {"pattern": r"^s(\d)"}) == ["other", "1", "2", "9", "1"]
    assert assign_groups(names, {"s1": "one"}, {})[:2] == ["other", "one"]


@pytest.mark.slow
def test_a_legend_says_what_the_colours_of_predictions_are(tmp_path):
    page = write_report(report(results(tmp_path)), tmp_path / "out").read_text()
    assert page.count('class="note legend"') == 2  # errors have another colour in each variant
    assert 'plain: <span><i style="background:#000000"></i>a</span>' in page
    assert '<i style="background:#090909"></i>&lt;b&gt;' in page
    assert '<i style="background:#ff00ff"></i>predicted wrongly' in page
    assert '<i style="background:#010203"></i>predicted wrongly' in page


class Reader(HTMLParser):
    """What a page asks for, and whether its elements are closed."""

    VOID = ("meta", "img", "br", "use", "path", "image", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.headings = 0

    def handle_starttag(self, tag, attributes):
        self.headings += tag == "h2"
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(tmp_path):
    page = write_report(report(results(tmp_path)), tmp_path / "out").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    inner = {f"#{name}" for name in reader.ids}
    assert all(link.startswith("data:") or link in inner for link in reader.references)
    assert not re.search(r"url\((?!#)|@import|<script|<link", page)
    assert "A &lt;title&gt;" in page and "lr must be a &lt;number&gt;." in page and "skip &amp; add" in page
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert '<th class="number">p</th>' in page and "these runs" not in page
    for heading in ("Gradients", "Loss landscapes", "Predictions", "Learning curves"):
        assert f"<h2>{heading}</h2>" in page
    assert {row["variant"] for row in read(tmp_path / "out" / "table.csv")} == {"plain", "skip & add", "broken"}
    assert len(read(tmp_path / "out" / "images.csv")) == 8


def test_sections_without_files_are_not_there(tmp_path):
    page = write_report(report(results(tmp_path, flow=False)), tmp_path / "out").read_text()
    assert "<h2>Gradients</h2>" not in page
    assert "<h2>Loss landscapes</h2>" not in page


@pytest.mark.slow
def test_a_landscape_is_shown_on_one_scale_with_its_sharpness(tmp_path):
    page = write_report(report(results(tmp_path)), tmp_path / "out").read_text()
    assert page.count("<td>2 … 4</td>") == 4  # a row per run, over its two directions
    assert (tmp_path / "out" / "figures" / "contours.png").is_file()


def test_an_unfinished_landscape_is_not_shown(tmp_path):
    made = results(tmp_path, flow=False)
    write_landscape(made[0].run / "landscape", top=1.0, finished=False)
    assert made[0].landscape is None
    assert "Loss landscapes" not in write_report(report(made), tmp_path / "out").read_text()


@pytest.mark.slow
def test_drawing_again_gives_the_same_bytes(tmp_path):
    made = report(results(tmp_path))
    first, second = (write_report(made, tmp_path / name).parent for name in ("one", "two"))
    for path in sorted(file for file in first.rglob("*") if file.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path


def test_latex_and_html_are_escaped(tmp_path):
    rows = [{"variant": "a_b & 5 %", "dice": 0.5, "n": 1200, "none": math.nan}]
    write_tex(tmp_path / "t.tex", rows, "100 %")
    assert r"a\_b \& 5 \% & 0.5000 & 1,200 & -- \\" in (tmp_path / "t.tex").read_text()
    assert "<td>a_b &amp; 5 %</td>" in format_html(rows)


def test_a_run_that_was_not_watched_has_no_profile(tmp_path):
    assert compute_gradient_profile(run(tmp_path, "plain", 0, flow=False)) == {}
