"""The page of gradients over depth."""

import csv

from segapp.lab.depth import page
from segapp.lab.depth.figures import FIGURES
from segapp.report.figures import make_figure
from tests.lab.depth.test_figures import make_rows, write_table


def test_the_page_has_every_figure_and_the_slopes(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "FIGURES", dict.fromkeys(FIGURES, lambda rows: make_figure(1, 1)))
    table = write_table(tmp_path / "profiles.csv", make_rows())
    page.draw_all(table, tmp_path, "segapp depth --output <out> --redraw")
    assert {path.name for path in tmp_path.iterdir()} == {"profiles.csv", "slopes.csv", page.PAGE, *page.FIGURE_FILES}
    with (tmp_path / "slopes.csv").open(newline="") as file:
        assert [row["slope"] for row in csv.DictReader(file)][:2] == ["-0.6931"] * 2
    text = (tmp_path / page.PAGE).read_text()
    assert text.count("<svg") == 4 and "--output &lt;out&gt; --redraw" in text
    assert "<b>12</b>networks" in text and "<b>2</b>seeds" in text and "<b>6</b>blocks in a chain" in text
