"""A page and its tables from run folders written by hand: numbers worked out, nothing fetched, sections in place."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from segapp.lab.study.effects import (
    Question,
)
from segapp.lab.study.page import Report, write_report
from segapp.report.results import Result
from tests.lab.study.runs_by_hand import results


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(made: list[Result]) -> Report:
    question = Question("skip − plain", ("skip & add",), ("plain",))
    return Report("A <title>", "About.", "a minute", "segapp study --redraw", made, [question])


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


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Report, Path]:
    """A report of runs with everything, and the page that was made of it."""
    folder = tmp_path_factory.mktemp("report")
    made = report(results(folder))
    return made, write_report(made, folder / "out")


def test_the_page_is_whole_and_asks_for_nothing(written):
    _, path = written
    page = path.read_text()
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
    assert {row["variant"] for row in read(path.with_name("table.csv"))} == {"plain", "skip & add", "broken"}
    assert len(read(path.with_name("images.csv"))) == 8


def test_sections_without_files_are_not_there(tmp_path):
    page = write_report(report(results(tmp_path, flow=False)), tmp_path / "out").read_text()
    assert "<h2>Gradients</h2>" not in page
    assert "<h2>Loss landscapes</h2>" not in page


def test_a_landscape_is_shown_on_one_scale_with_its_sharpness(written):
    _, path = written
    assert path.read_text().count("<td>2 … 4</td>") == 4  # a row per run, over its two directions
    assert path.with_name("figures").joinpath("contours.png").is_file()


@pytest.mark.slow
def test_drawing_again_gives_the_same_bytes(written, tmp_path):
    made, path = written
    first, second = path.parent, write_report(made, tmp_path / "two").parent
    for path in sorted(file for file in first.rglob("*") if file.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path
